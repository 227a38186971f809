//! Expressions, by precedence climbing: a level of recursion is a bracket or a sign, never a link of a chain.

use super::lexer::Kind;
use super::mistake::Parsed;
use super::parser::Parser;
use super::{Expression, Operator};

/// How strongly an operator binds, weakest first, as in MySQL.
pub(super) mod power {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARISON: u8 = 4;
    /// IN, LIKE and BETWEEN.
    pub const PREDICATE: u8 = 5;
    pub const SUM: u8 = 6;
    pub const PRODUCT: u8 = 7;
    pub const SIGN: u8 = 8;
}

enum Infix {
    Or,
    And,
    Is,
    Binary(Operator),
    Predicate,
    Collate,
}

impl Parser<'_> {
    pub fn expression(&mut self) -> Parsed<Expression> {
        self.expression_above(0)
    }

    /// Reads operators that bind more strongly than `floor`.
    pub fn expression_above(&mut self, floor: u8) -> Parsed<Expression> {
        self.deeper(|parser| {
            parser.count_part()?;
            let mut left = parser.operand()?;
            let mut links = 0;
            while let Some((infix, power)) = parser.infix() {
                if power <= floor {
                    break;
                }
                // AND and OR are joined in a balanced tree; what else is chained grows to the left.
                links += usize::from(power > power::AND);
                parser.check_depth(links)?;
                left = parser.infix_expression(left, &infix, power)?;
            }
            Ok(left)
        })
    }

    fn infix(&self) -> Option<(Infix, u8)> {
        let binary = |operator, power| Some((Infix::Binary(operator), power));
        match self.token.kind {
            Kind::Equal => binary(Operator::Equal, power::COMPARISON),
            Kind::NullSafeEqual => binary(Operator::NullSafeEqual, power::COMPARISON),
            Kind::NotEqual => binary(Operator::NotEqual, power::COMPARISON),
            Kind::Less => binary(Operator::Less, power::COMPARISON),
            Kind::LessOrEqual => binary(Operator::LessOrEqual, power::COMPARISON),
            Kind::Greater => binary(Operator::Greater, power::COMPARISON),
            Kind::GreaterOrEqual => binary(Operator::GreaterOrEqual, power::COMPARISON),
            Kind::Plus => binary(Operator::Add, power::SUM),
            Kind::Minus => binary(Operator::Subtract, power::SUM),
            Kind::Star => binary(Operator::Multiply, power::PRODUCT),
            Kind::Slash => binary(Operator::Divide, power::PRODUCT),
            Kind::Percent => binary(Operator::Modulo, power::PRODUCT),
            Kind::BothSigns => Some((Infix::And, power::AND)),
            Kind::EitherSign => Some((Infix::Or, power::OR)),
            Kind::Word => match self.token.text.len() {
                2 if self.token.is("OR") => Some((Infix::Or, power::OR)),
                2 if self.token.is("IS") => Some((Infix::Is, power::COMPARISON)),
                2 if self.token.is("IN") => Some((Infix::Predicate, power::PREDICATE)),
                3 if self.token.is("AND") => Some((Infix::And, power::AND)),
                3 if self.token.is("NOT") => Some((Infix::Predicate, power::PREDICATE)),
                3 if self.token.is("MOD") => binary(Operator::Modulo, power::PRODUCT),
                4 if self.token.is("LIKE") => Some((Infix::Predicate, power::PREDICATE)),
                7 if self.token.is("BETWEEN") => Some((Infix::Predicate, power::PREDICATE)),
                7 if self.token.is("COLLATE") => Some((Infix::Collate, power::SIGN)),
                _ => None,
            },
            _ => None,
        }
    }

    fn infix_expression(&mut self, left: Expression, infix: &Infix, power: u8) -> Parsed<Expression> {
        match infix {
            Infix::Or => self.chain(left, power, &["OR"], Kind::EitherSign, Expression::Or),
            Infix::And => self.chain(left, power, &["AND"], Kind::BothSigns, Expression::And),
            Infix::Is => self.is(left),
            Infix::Predicate => self.predicate(left),
            Infix::Binary(operator) => {
                self.next();
                let right = Box::new(self.expression_above(power)?);
                Ok(Expression::Binary { operator: *operator, left: Box::new(left), right })
            }
            Infix::Collate => {
                self.next();
                self.name("a collation")?;
                Ok(left)
            }
        }
    }

    /// A chain of ANDs, or of ORs, however long.
    fn chain(
        &mut self,
        first: Expression,
        power: u8,
        words: &[&str],
        sign: Kind,
        pair: fn(Box<Expression>, Box<Expression>) -> Expression,
    ) -> Parsed<Expression> {
        let mut terms = vec![first];
        while self.skip_words(words) || self.skip(sign) {
            terms.push(self.expression_above(power)?);
        }
        // Neighbours are joined until one is left, so that the tree is as deep as the logarithm of the chain.
        while terms.len() > 1 {
            let mut joined = Vec::with_capacity(terms.len().div_ceil(2));
            let mut terms_left = terms.into_iter();
            while let Some(left) = terms_left.next() {
                joined.push(match terms_left.next() {
                    Some(right) => pair(Box::new(left), Box::new(right)),
                    None => left,
                });
            }
            terms = joined;
        }
        terms.pop().ok_or_else(|| self.expected("a value"))
    }

    /// IS [NOT] NULL, TRUE, FALSE; UNKNOWN is another word for NULL.
    fn is(&mut self, left: Expression) -> Parsed<Expression> {
        self.next();
        let negated = self.skip_word("NOT");
        let value = Box::new(left);
        if self.skip_words(&["NULL", "UNKNOWN"]) {
            return Ok(Expression::IsNull { value, negated });
        }
        if self.skip_word("TRUE") {
            return Ok(Expression::IsTruth { value, truth: true, negated });
        }
        if self.skip_word("FALSE") {
            return Ok(Expression::IsTruth { value, truth: false, negated });
        }
        Err(self.expected("NULL, TRUE or FALSE"))
    }

    fn predicate(&mut self, left: Expression) -> Parsed<Expression> {
        let negated = self.skip_word("NOT");
        let value = Box::new(left);
        if self.skip_word("IN") {
            return Ok(Expression::In { value, list: self.in_list()?, negated });
        }
        if self.skip_word("LIKE") {
            let pattern = Box::new(self.expression_above(power::PREDICATE)?);
            self.skip_escape()?;
            return Ok(Expression::Like { value, pattern, negated });
        }
        if self.skip_word("BETWEEN") {
            let low = Box::new(self.expression_above(power::PREDICATE)?);
            self.expect_word("AND")?;
            let high = Box::new(self.expression_above(power::PREDICATE)?);
            return Ok(Expression::Between { value, low, high, negated });
        }
        Err(self.expected("IN, LIKE or BETWEEN after NOT"))
    }

    fn in_list(&mut self) -> Parsed<Vec<Expression>> {
        self.expect(Kind::Open, "( after IN")?;
        let list = if self.token.is("SELECT") {
            let select = self.deeper(Self::select)?;
            vec![Expression::Subquery(Box::new(select))]
        } else {
            self.expressions()?
        };
        self.expect(Kind::Close, ", or ) in the list of IN")?;
        Ok(list)
    }

    /// `ESCAPE '\'` says what is so anyway.
    fn skip_escape(&mut self) -> Parsed<()> {
        if !self.skip_word("ESCAPE") {
            return Ok(());
        }
        match self.token.kind {
            Kind::Text(_) if matches!(self.token.text, r"\\" | r"\") => {
                self.next();
                Ok(())
            }
            _ => Err(self.unsupported(r"an ESCAPE other than '\\'")),
        }
    }

    /// One or more, with commas between.
    pub fn expressions(&mut self) -> Parsed<Vec<Expression>> {
        let mut list = vec![self.expression()?];
        while self.skip(Kind::Comma) {
            list.push(self.expression()?);
        }
        Ok(list)
    }

    /// A value, or a sign with its value.
    fn operand(&mut self) -> Parsed<Expression> {
        while self.skip(Kind::Plus) {}
        match self.token.kind {
            Kind::Minus => {
                let place = self.next().place();
                Ok(match self.expression_above(power::SIGN)? {
                    Expression::Integer(number, _) => Expression::Integer(number.saturating_neg(), place),
                    Expression::Decimal(number, _) if !number.starts_with('-') => {
                        Expression::Decimal(format!("-{number}"), place)
                    }
                    other => Expression::Negative(Box::new(other)),
                })
            }
            Kind::NotSign => {
                self.next();
                Ok(Expression::Not(Box::new(self.expression_above(power::SIGN)?)))
            }
            Kind::Open => self.bracket(),
            Kind::Word => self.word(),
            Kind::Name(_) => self.column(),
            // Before a dot nothing but a name can stand, whatever quotes the client has said it uses.
            Kind::Text('"') if self.second().kind == Kind::Dot => self.column(),
            Kind::Parameter => {
                let place = self.token.place();
                Ok(Expression::Parameter(self.parameter()?, place))
            }
            _ => self.literal(),
        }
    }

    fn bracket(&mut self) -> Parsed<Expression> {
        self.next();
        let inside =
            if self.token.is("SELECT") { Expression::Subquery(Box::new(self.select()?)) } else { self.expression()? };
        self.expect(Kind::Close, ") to close the bracket")?;
        Ok(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Item, Statement, parse};
    use super::*;

    fn value(text: &str) -> Result<Expression, String> {
        let statement = parse(&format!("SELECT {text}"), Dialect::default()).map_err(|error| error.message)?.remove(0);
        match statement {
            Statement::Select(mut select) => match select.items.remove(0) {
                Item::One { expression, .. } => Ok(expression),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// The tree with all its brackets.
    fn tree(expression: &Expression) -> String {
        let list = |list: &[Expression]| list.iter().map(tree).collect::<Vec<_>>().join(",");
        let not = |negated: &bool| if *negated { "not " } else { "" };
        match expression {
            Expression::Null(_) => "NULL".into(),
            Expression::Default(_) => "DEFAULT".into(),
            Expression::Integer(number, _) => number.to_string(),
            Expression::Decimal(number, _) => format!("d{number}"),
            Expression::Text(text) => format!("{:?}", text.mysql()),
            Expression::Bytes(bytes, _) => format!("{bytes:?}"),
            Expression::Parameter(number, _) => format!("?{number}"),
            Expression::Column(name) => match &name.table {
                Some(table) => format!("{}.{}", table.text, name.column.text),
                None => name.column.text.clone(),
            },
            Expression::SystemVariable { name, .. } => format!("@@{name}"),
            Expression::UserVariable { name, .. } => format!("@{name}"),
            Expression::Call { function, arguments, .. } => format!("{function}({})", list(arguments)),
            Expression::Negative(value) => format!("(- {})", tree(value)),
            Expression::Not(value) => format!("(not {})", tree(value)),
            Expression::And(left, right) => format!("({} and {})", tree(left), tree(right)),
            Expression::Or(left, right) => format!("({} or {})", tree(left), tree(right)),
            Expression::Binary { operator, left, right } => format!("({} {operator:?} {})", tree(left), tree(right)),
            Expression::In { value, list: values, negated } => {
                format!("({} {}in {})", tree(value), not(negated), list(values))
            }
            Expression::Between { value, low, high, negated } => {
                format!("({} {}between {} {})", tree(value), not(negated), tree(low), tree(high))
            }
            Expression::Like { value, pattern, negated } => {
                format!("({} {}like {})", tree(value), not(negated), tree(pattern))
            }
            Expression::IsNull { value, negated } => format!("({} is {}null)", tree(value), not(negated)),
            Expression::IsTruth { value, truth, negated } => format!("({} is {}{truth})", tree(value), not(negated)),
            Expression::Exact(value) => format!("(exact {})", tree(value)),
            Expression::Case { value, branches, otherwise } => {
                let branches = branches.iter().map(|branch| format!(" {}: {}", tree(&branch.when), tree(&branch.then)));
                let (value, otherwise) = (value.as_deref().map(tree), otherwise.as_deref().map(tree));
                format!("(case {value:?}{} else {otherwise:?})", branches.collect::<String>()).replace(['"', '\\'], "")
            }
            Expression::Exists(_) => "exists".into(),
            Expression::Subquery(_) => "subquery".into(),
        }
    }

    #[test]
    fn operators_bind_as_in_mysql() {
        for (text, expected) in [
            ("a or b and c", "(a or (b and c))"),
            ("a and b or c", "((a and b) or c)"),
            ("not a = b and c", "((not (a Equal b)) and c)"),
            ("!a = b", "((not a) Equal b)"),
            ("not not a", "(not (not a))"),
            ("a = 1 is null", "((a Equal 1) is null)"),
            ("a = b in (1, 2)", "(a Equal (b in 1,2))"),
            ("a like b + 1", "(a like (b Add 1))"),
            ("a not between 1 and 2 and b", "((a not between 1 2) and b)"),
            ("1 + 2 * 3 - 4", "((1 Add (2 Multiply 3)) Subtract 4)"),
            ("8 / 4 % 2 mod 3", "(((8 Divide 4) Modulo 2) Modulo 3)"),
            ("- 5 - -5", "(-5 Subtract -5)"),
            ("-(a) * 2", "((- a) Multiply 2)"),
            ("- -1.5 + +3", "((- d-1.5) Add 3)"),
            ("(a or b) and c", "((a or b) and c)"),
            ("a and b && c and d || e", "(((a and b) and (c and d)) or e)"),
            ("a <=> null", "(a NullSafeEqual NULL)"),
            ("170141183460469231731687303715884105728", "d170141183460469231731687303715884105728"),
            ("0xabc + x'0A' + b'101' + x''", "((([10, 188] Add [10]) Add 5) Add [])"),
            ("true + FALSE", "(1 Add 0)"),
            ("@@SESSION.Sql_Mode", "@@sql_mode"),
            ("@@`time_zone`", "@@time_zone"),
            ("@`a b`", "@a b"),
            ("Count(*) + COUNT(0)", "(count() Add count(0))"),
            ("db.t.`index`", "t.index"),
            ("concat('a' 'b', ?, ?)", "concat(\"ab\",?0,?1)"),
            ("if(a, left(b, 1), replace(c, 'x', 'y'))", "if(a,left(b,1),replace(c,\"x\",\"y\"))"),
            ("cast(a as unsigned integer)", "cast(a,\"unsigned integer\")"),
            ("a like 'x' escape '\\\\'", "(a like \"x\")"),
            ("a is true and b is not false", "((a is true) and (b is not false))"),
            ("a is unknown is not true", "((a is null) is not true)"),
            ("binary a = b + 1", "((exact a) Equal (b Add 1))"),
            ("a like binary 'x' or binary(a)", "((a like (exact \"x\")) or (exact a))"),
            ("binary, a", "binary"),
            ("not binary a", "(not (exact a))"),
            ("case when a then 1 when b = 2 then 3 end", "(case None a: 1 (b Equal 2): 3 else None)"),
            ("CASE a + 1 WHEN 1 THEN b ELSE - c END + 1", "((case Some((a Add 1)) 1: b else Some((- c))) Add 1)"),
            (
                "case case 1 when 2 then 3 end when 4 then 5 end",
                "(case Some((case Some(1) 2: 3 else None)) 4: 5 else None)",
            ),
            ("exists (select 1)", "exists"),
            ("(select 1) in (select 2)", "(subquery in subquery)"),
        ] {
            assert_eq!(value(text).map(|value| tree(&value)), Ok(expected.into()), "{text}");
        }
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (text, expected) in [
            ("", "expected a value, found the end of the text at line 1, column 8"),
            ("(1", "expected ) to close the bracket, found the end of the text at line 1, column 10"),
            ("1 +", "expected a value, found the end of the text at line 1, column 11"),
            ("a in 1", "expected ( after IN, found \"1\" at line 1, column 13"),
            ("a is 1", "expected NULL, TRUE or FALSE, found \"1\" at line 1, column 13"),
            ("a not 1", "expected IN, LIKE or BETWEEN after NOT, found \"1\" at line 1, column 14"),
            ("case 1", "expected WHEN, found the end of the text at line 1, column 14"),
            ("case end", "expected a value, found \"end\" at line 1, column 13"),
            ("case when 1 end", "expected THEN, found \"end\" at line 1, column 20"),
            (
                "case when 1 then 2",
                "expected END after the branches of CASE, found the end of the text at line 1, column 26",
            ),
            ("x'abc'", "x'…' takes pairs of hexadecimal digits, not \"abc\" at line 1, column 8"),
            ("b'2'", "b'…' takes up to 126 digits 0 and 1, not \"2\" at line 1, column 8"),
            ("'abc", "the string in quotes that begins with \"'abc\" has no end at line 1, column 8"),
            (
                "f(1",
                "expected , or ) after the arguments of a function, found the end of the text at line 1, column 11",
            ),
            ("a like 'x' escape '!'", "an ESCAPE other than '\\\\' is not supported at line 1, column 26"),
            ("~1", "expected a value, found \"~\" at line 1, column 8"),
        ] {
            assert_eq!(value(text).map(|value| tree(&value)), Err(expected.into()), "{text}");
        }
    }

    #[test]
    fn neither_depth_nor_length_reaches_the_stack() {
        let run = || {
            let many = 3_000_000;
            for deep in [
                "(",
                "not ",
                "- ",
                "!",
                "f(",
                "(select ",
                "exists(select ",
                "1 in (",
                "1=",
                "1+",
                "a.b<",
                "case when ",
                "case ",
                "binary ",
                "(select 1 from (select ",
            ] {
                let text = deep.repeat(many / deep.len());
                assert!(value(&text).is_err_and(|error| error.contains("levels deep")), "{deep}");
            }
            for chain in [" and 1", " or 1", " or 1 and 1"] {
                let text = format!("1{}", chain.repeat(100_000));
                drop(value(&text).unwrap());
                let nested = format!("{}1{}", "(".repeat(40), format!("){}", chain.repeat(1_000)).repeat(40));
                drop(value(&nested).unwrap());
            }
            assert!(value(&format!("1{}", "+1".repeat(100_000))).is_err());
            drop(value(&format!("{}1{}", "(".repeat(60), ")".repeat(60))).unwrap());
            assert!(value(&format!("1{}", " or 1".repeat(2_000_000))).is_err_and(|error| error.contains("1000000")));
        };
        // Half of what a thread of tokio has, and unoptimized code takes the most.
        std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
    }
}
