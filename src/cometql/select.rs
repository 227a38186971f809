//! SELECT, and the clauses it shares with DELETE and UPDATE.

use super::lexer::Kind;
use super::mistake::Parsed;
use super::parser::Parser;
use super::{Expression, From, Identifier, Item, Limit, Order, Select};

/// WHERE, ORDER BY and LIMIT.
pub(super) struct Clauses {
    pub condition: Option<Expression>,
    pub order: Vec<Order>,
    pub limit: Option<Limit>,
}

impl Parser<'_> {
    pub fn select(&mut self) -> Parsed<Select> {
        let place = self.token.place();
        self.expect_word("SELECT")?;
        let distinct = self.select_modifiers();
        let mut items = vec![self.item()?];
        while self.skip(Kind::Comma) {
            items.push(self.item()?);
        }
        let from = if self.skip_word("FROM") { self.from()? } else { None };
        let clauses = self.clauses()?;
        self.skip_locks()?;
        Ok(Select {
            distinct,
            items,
            from,
            condition: clauses.condition,
            order: clauses.order,
            limit: clauses.limit,
            place,
        })
    }

    pub fn clauses(&mut self) -> Parsed<Clauses> {
        let condition = if self.skip_word("WHERE") { Some(self.expression()?) } else { None };
        let order = if self.skip_word("ORDER") { self.order()? } else { Vec::new() };
        let limit = if self.skip_word("LIMIT") { Some(self.limit()?) } else { None };
        Ok(Clauses { condition, order, limit })
    }

    /// Words between SELECT and the items; only DISTINCT changes the answer.
    fn select_modifiers(&mut self) -> bool {
        const DISTINCT: &[&str] = &["DISTINCT", "DISTINCTROW"];
        const WITHOUT_EFFECT: &[&str] = &[
            "ALL",
            "HIGH_PRIORITY",
            "STRAIGHT_JOIN",
            "SQL_NO_CACHE",
            "SQL_CACHE",
            "SQL_CALC_FOUND_ROWS",
            "SQL_SMALL_RESULT",
            "SQL_BIG_RESULT",
            "SQL_BUFFER_RESULT",
        ];
        let mut distinct = false;
        loop {
            if self.skip_words(DISTINCT) {
                distinct = true;
            } else if !self.skip_words(WITHOUT_EFFECT) {
                return distinct;
            }
        }
    }

    fn item(&mut self) -> Parsed<Item> {
        self.count_part()?;
        let start = self.token.start;
        let place = self.token.place();
        if self.skip(Kind::Star) {
            return Ok(Item::All { table: None, place });
        }
        if let Some(table) = self.all_of_table()? {
            return Ok(Item::All { table: Some(table), place });
        }
        let expression = self.expression()?;
        let text = self.text.get(start..self.read_to).unwrap_or("").to_owned();
        let alias = self.alias()?.map(|alias| alias.text);
        Ok(Item::One { expression, alias, text })
    }

    /// `t.*` and `db.t.*`; anything else is left unread.
    fn all_of_table(&mut self) -> Parsed<Option<Identifier>> {
        if !matches!(self.token.kind, Kind::Word | Kind::Name(_) | Kind::Text('"')) || self.second().kind != Kind::Dot {
            return Ok(None);
        }
        let mut ahead = *self;
        for _ in 0..2 {
            let table = ahead.name("a name")?;
            if !ahead.skip(Kind::Dot) {
                break;
            }
            if ahead.skip(Kind::Star) {
                *self = ahead;
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    /// FROM dual is FROM nothing.
    fn from(&mut self) -> Parsed<Option<From>> {
        if self.token.is("DUAL") && self.second().kind != Kind::Dot {
            self.next();
            return Ok(None);
        }
        let from = if self.token.kind == Kind::Open {
            self.deeper(Self::derived_table)?
        } else {
            From::Table { name: self.table_name()?, alias: self.alias()? }
        };
        if self.token.kind == Kind::Comma {
            return Err(self.unsupported("more than one table in FROM"));
        }
        Ok(Some(from))
    }

    /// `(SELECT …) AS alias`; the token is the bracket.
    fn derived_table(&mut self) -> Parsed<From> {
        self.next();
        if !self.token.is("SELECT") {
            return Err(self.unsupported("a table or a JOIN in brackets"));
        }
        let select = Box::new(self.select()?);
        if self.token.kind != Kind::Close {
            self.expect_no_clause()?;
            return Err(self.expected(") after the SELECT in FROM"));
        }
        self.next();
        match self.alias()? {
            Some(alias) => Ok(From::Select { select, alias }),
            None => Err(self.expected("an alias after the SELECT in FROM: AS a")),
        }
    }

    fn order(&mut self) -> Parsed<Vec<Order>> {
        self.expect_word("BY")?;
        let mut order = Vec::new();
        loop {
            let by = self.expression()?;
            let descending = self.skip_word("DESC");
            if !descending {
                self.skip_word("ASC");
            }
            order.push(Order { by, descending });
            if !self.skip(Kind::Comma) {
                return Ok(order);
            }
        }
    }

    fn limit(&mut self) -> Parsed<Limit> {
        let first = self.limit_number()?;
        if self.skip(Kind::Comma) {
            return Ok(Limit { offset: Some(first), count: self.limit_number()? });
        }
        let offset = if self.skip_word("OFFSET") { Some(self.limit_number()?) } else { None };
        Ok(Limit { offset, count: first })
    }

    /// A number or a `?`. Quotes around the number were allowed by the original.
    fn limit_number(&mut self) -> Parsed<Expression> {
        match self.token.kind {
            Kind::Integer | Kind::Parameter => self.expression(),
            Kind::Text(_) => match self.token.text.parse::<u64>() {
                Ok(number) => Ok(Expression::Integer(number.into(), self.next().place())),
                Err(_) => Err(self.expected("a number of rows after LIMIT")),
            },
            _ => Err(self.expected("a number of rows after LIMIT")),
        }
    }

    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE: one statement is one step here anyway.
    fn skip_locks(&mut self) -> Parsed<()> {
        if self.skip_word("LOCK") {
            for keyword in ["IN", "SHARE", "MODE"] {
                self.expect_word(keyword)?;
            }
        } else if self.skip_word("FOR") {
            if !self.skip_words(&["UPDATE", "SHARE"]) {
                return Err(self.expected("UPDATE or SHARE after FOR"));
            }
            while self.skip_words(&["NOWAIT", "SKIP", "LOCKED"]) {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Place, Statement, SyntaxError, parse};
    use super::*;

    fn select(text: &str) -> Result<Select, SyntaxError> {
        match parse(text, Dialect::default())?.remove(0) {
            Statement::Select(select) => Ok(select),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_item_keeps_its_text_and_its_alias() {
        let items = "SELECT *, t.*, `t`.`a`  AS 'x y', 1 + /* one */ 1 two, 'a' 'b', @@version v, count( * ) FROM t";
        let items = select(items).unwrap().items.into_iter();
        let told: Vec<_> = items
            .map(|item| match item {
                Item::All { table, .. } => (String::from("*"), table.map(|table| table.text)),
                Item::One { alias, text, .. } => (text, alias),
            })
            .collect();
        let one = |text: &str, alias: Option<&str>| (text.to_owned(), alias.map(str::to_owned));
        assert_eq!(
            told,
            [
                one("*", None),
                one("*", Some("t")),
                one("`t`.`a`", Some("x y")),
                one("1 + /* one */ 1", Some("two")),
                one("'a' 'b'", None),
                one("@@version", Some("v")),
                one("count( * )", None),
            ]
        );
    }

    #[test]
    fn limit_means_what_mysql_says() {
        let number = |number, at| Expression::Integer(number, Place(at));
        for (text, offset, count) in [
            ("SELECT 1 LIMIT 5", None, number(5, 15)),
            ("SELECT 1 LIMIT 2, 5", Some(number(2, 15)), number(5, 18)),
            ("SELECT 1 LIMIT 5 OFFSET 2", Some(number(2, 24)), number(5, 15)),
            ("SELECT 1 LIMIT '5'", None, number(5, 15)),
            ("SELECT 1 LIMIT ?", None, Expression::Parameter(0, Place(15))),
        ] {
            assert_eq!(select(text).unwrap().limit, Some(Limit { offset, count }), "{text}");
        }
    }

    #[test]
    fn the_clauses_are_told_apart() {
        let all = "SELECT DISTINCT a FROM db.t x WHERE a = 1 ORDER BY a DESC, b ASC, 3 LIMIT 1 FOR UPDATE";
        let all = select(all).unwrap();
        assert!(all.distinct && all.condition.is_some() && all.limit.is_some());
        assert!(matches!(all.from, Some(From::Table { alias: Some(alias), .. }) if alias.text == "x"));
        assert_eq!(all.order.iter().map(|order| order.descending).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(select("SELECT 1 FROM DUAL").unwrap().from, None);
    }

    #[test]
    fn a_select_in_brackets_can_stand_in_from() {
        let outer = select("SELECT COUNT(*) FROM (SELECT a FROM t WHERE b = 1 LIMIT 5) AS x WHERE a > 1").unwrap();
        let Some(From::Select { select: inner, alias }) = outer.from else { panic!("{outer:?}") };
        assert_eq!((alias.text.as_str(), inner.limit.is_some(), outer.condition.is_some()), ("x", true, true));
        assert!(matches!(inner.from, Some(From::Table { name, .. }) if name.table.text == "t"));
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (text, expected) in [
            ("SELECT FROM t", "expected a value, found \"FROM\" at line 1, column 8"),
            ("SELECT a FROM t, u", "more than one table in FROM is not supported at line 1, column 16"),
            ("SELECT a FROM t LEFT JOIN u", "JOIN is not supported at line 1, column 17"),
            ("SELECT a FROM (t JOIN u)", "a table or a JOIN in brackets is not supported at line 1, column 16"),
            (
                "SELECT a FROM (SELECT 1)",
                "expected an alias after the SELECT in FROM: AS a, found the end of the text at line 1, column 25",
            ),
            ("SELECT a FROM (SELECT 1 UNION SELECT 2) t", "UNION is not supported at line 1, column 25"),
            ("SELECT a FROM (SELECT 1 2) t", "expected ) after the SELECT in FROM, found \"2\" at line 1, column 25"),
            ("SELECT a FROM (SELECT 1) t JOIN u", "JOIN is not supported at line 1, column 28"),
            ("SELECT a FROM (SELECT 1) t, u", "more than one table in FROM is not supported at line 1, column 27"),
            ("SELECT a FROM t GROUP BY a", "GROUP BY is not supported at line 1, column 17"),
            ("SELECT 1 UNION SELECT 2", "UNION is not supported at line 1, column 10"),
            ("SELECT a FROM t LIMIT a", "expected a number of rows after LIMIT, found \"a\" at line 1, column 23"),
            ("SELECT a FROM t ORDER a", "expected BY, found \"a\" at line 1, column 23"),
            ("SELECT a FROM t x y", "expected the end of the statement, found \"y\" at line 1, column 19"),
            ("SELECT a FROM t WHERE", "expected a value, found the end of the text at line 1, column 22"),
        ] {
            assert_eq!(select(text).map_err(|error| error.message), Err(expected.into()), "{text}");
        }
    }
}
