//! Statements of every shape clients send, with whatever values, quotes, blanks, comments and case.

pub struct Generator {
    state: u64,
    pub quotes: Quotes,
    /// What has been written of the statement, token by token.
    tokens: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Strings in either quote, names in backticks or in none.
    Any,
    /// Strings in single quotes, every name in backticks.
    Backticks,
    /// Strings in single quotes, every name in double quotes.
    Ansi,
}

const NAMES: &[&str] = &["name", "event", "message", "id", "index", "pipes_messages", "t", "имя", "a b", "x`y", "q\"r"];
const BLANKS: &[&str] = &[" ", " ", " ", "\n", "\t", "  ", " /* a, 'b */ ", " -- it's\n", " # \"\n", "/**/"];

impl Generator {
    pub fn new(seed: u64, quotes: Quotes) -> Generator {
        Generator { state: seed.wrapping_mul(2_654_435_761).max(1), quotes, tokens: Vec::new() }
    }

    pub fn statement(&mut self) -> String {
        match self.below(10) {
            0..=3 => self.insert(),
            4..=6 => {
                let depth = self.below(3);
                self.select(depth);
            }
            7 => self.delete(),
            8 => self.update(),
            _ => self.set(),
        }
        let touches = |token: &str| token.ends_with(['(', ')', ',']);
        let mut text = String::new();
        for token in std::mem::take(&mut self.tokens) {
            let needless = touches(&text) || matches!(token.as_str(), "(" | ")" | ",");
            let touching = text.is_empty() || (needless && self.one_in(2));
            if !touching {
                text += BLANKS[self.below(BLANKS.len())];
            }
            text += &token;
        }
        text
    }

    /// xorshift64*.
    pub fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn token(&mut self, token: impl Into<String>) {
        self.tokens.push(token.into());
    }

    /// Keywords in any case.
    pub fn words(&mut self, words: &str) {
        for word in words.split(' ') {
            let word = match self.below(4) {
                0 => word.to_lowercase(),
                1 => word
                    .chars()
                    .map(|letter| if self.one_in(2) { letter.to_ascii_lowercase() } else { letter })
                    .collect(),
                _ => word.to_owned(),
            };
            self.token(word);
        }
    }

    fn maybe(&mut self, words: &str) {
        if self.one_in(3) {
            self.words(words);
        }
    }

    fn list(&mut self, most: usize, mut each: impl FnMut(&mut Self)) {
        for number in 0..=self.below(most) {
            if number > 0 {
                self.token(",");
            }
            each(self);
        }
    }

    // Statements

    fn insert(&mut self) {
        match self.below(4) {
            0 => self.words("REPLACE INTO"),
            1 => self.words("INSERT IGNORE INTO"),
            _ => self.words("INSERT INTO"),
        }
        self.table();
        if self.one_in(8) {
            self.words("SET");
            self.changes();
        } else {
            if !self.one_in(5) {
                self.token("(");
                self.list(4, |of| of.name());
                self.token(")");
            }
            self.words("VALUES");
            self.list(2, |of| {
                of.token("(");
                of.list(4, |of| if of.one_in(12) { of.words("DEFAULT") } else { of.value() });
                of.token(")");
            });
        }
        if self.one_in(8) {
            self.words("ON DUPLICATE KEY UPDATE");
            self.changes();
        }
    }

    fn select(&mut self, depth: usize) {
        self.words("SELECT");
        if self.one_in(6) {
            self.words("DISTINCT");
        }
        self.list(2, |of| of.item(depth.saturating_sub(1)));
        if !self.one_in(6) {
            self.words("FROM");
            if depth > 0 && self.one_in(6) {
                self.token("(");
                self.select(depth - 1);
                self.token(")");
                self.maybe("AS");
                self.name();
            } else {
                self.table();
                self.alias();
            }
            self.clauses(depth);
            if self.one_in(20) && self.tokens[0].eq_ignore_ascii_case("SELECT") && depth == 2 {
                self.words("FOR UPDATE");
            }
        }
    }

    fn item(&mut self, depth: usize) {
        match self.below(8) {
            0 => self.token("*"),
            1 => {
                let name = self.quoted_name();
                self.token(format!("{name}.*"));
            }
            _ => {
                self.condition(depth);
                if self.one_in(3) {
                    self.words("AS");
                    self.name();
                }
            }
        }
    }

    fn clauses(&mut self, depth: usize) {
        if !self.one_in(3) {
            self.words("WHERE");
            self.condition(depth);
        }
        self.order(depth);
        match self.below(6) {
            0 => {
                self.words("LIMIT");
                self.count();
            }
            1 => {
                self.words("LIMIT");
                self.count();
                self.token(",");
                self.count();
            }
            2 => {
                self.words("LIMIT");
                self.count();
                self.words("OFFSET");
                self.count();
            }
            _ => {}
        }
    }

    fn order(&mut self, depth: usize) {
        if self.one_in(4) {
            self.words("ORDER BY");
            self.list(2, |of| {
                of.sum(depth);
                match of.below(3) {
                    0 => of.words("DESC"),
                    1 => of.words("ASC"),
                    _ => {}
                }
            });
        }
    }

    fn count(&mut self) {
        let number = self.below(1_000);
        let count = if self.one_in(5) { "?".to_owned() } else { number.to_string() };
        self.token(count);
    }

    fn delete(&mut self) {
        self.words("DELETE FROM");
        self.table();
        self.words("WHERE");
        let depth = self.below(3);
        self.condition(depth);
        self.order(1);
        if self.one_in(3) {
            self.words("LIMIT");
            self.count();
        }
    }

    fn update(&mut self) {
        self.words("UPDATE");
        self.table();
        if self.one_in(3) {
            self.words("AS");
            self.name();
        }
        self.words("SET");
        self.changes();
        self.words("WHERE");
        let depth = self.below(3);
        self.condition(depth);
        if self.one_in(3) {
            self.words("LIMIT");
            self.count();
        }
    }

    fn changes(&mut self) {
        self.list(3, |of| {
            of.name();
            of.token("=");
            of.sum(1);
        });
    }

    fn set(&mut self) {
        self.words("SET");
        let scope = ["", "", "SESSION", "@@session.", "@@"][self.below(5)];
        let name = ["sql_mode", "autocommit", "Wait_Timeout"][self.below(3)];
        if scope == "SESSION" {
            self.words(scope);
        }
        let scope = if scope == "SESSION" { "" } else { scope };
        self.token(format!("{scope}{name}"));
        self.token("=");
        self.value();
    }

    // Names

    fn quoted_name(&mut self) -> String {
        let name = NAMES[self.below(NAMES.len())];
        let plain = !name.contains([' ', '`', '"']) && name != "index";
        let bare = plain && self.quotes == Quotes::Any && self.one_in(2);
        match self.quotes {
            Quotes::Any if bare => name.to_owned(),
            Quotes::Any | Quotes::Backticks => format!("`{}`", name.replace('`', "``")),
            Quotes::Ansi => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    fn name(&mut self) {
        let name = self.quoted_name();
        self.token(name);
    }

    fn alias(&mut self) {
        if self.one_in(3) {
            self.maybe("AS");
            self.name();
        }
    }

    fn table(&mut self) {
        let mut name = self.quoted_name();
        if self.one_in(5) {
            name = format!("{}.{name}", self.quoted_name());
        }
        self.token(name);
    }

    // Expressions, as MySQL's grammar has them

    fn condition(&mut self, depth: usize) {
        self.chain(depth, 5, "OR", |of| of.chain(depth, 3, "AND", |of| of.negation(depth)));
    }

    fn chain(&mut self, depth: usize, rarity: usize, word: &str, each: impl Fn(&mut Self)) {
        each(self);
        while depth > 0 && self.one_in(rarity + 1) {
            self.words(word);
            each(self);
        }
    }

    fn negation(&mut self, depth: usize) {
        while self.one_in(8) {
            self.words("NOT");
        }
        match self.below(if depth == 0 { 3 } else { 6 }) {
            0 => self.sum(depth),
            1 | 2 => {
                self.sum(depth);
                let sign = ["=", "<>", "!=", "<", "<=", ">", ">=", "<=>"][self.below(8)];
                self.token(sign);
                self.sum(depth);
            }
            3 => {
                self.sum(depth);
                self.words("IS");
                self.maybe("NOT");
                let what = ["NULL", "TRUE", "FALSE"][self.below(3)];
                self.words(what);
            }
            _ => self.predicate(depth),
        }
    }

    fn predicate(&mut self, depth: usize) {
        self.sum(depth);
        self.maybe("NOT");
        match self.below(4) {
            0 => {
                self.words("IN");
                self.token("(");
                self.list(3, |of| of.value());
                self.token(")");
            }
            1 => {
                self.words("LIKE");
                self.string();
            }
            2 => {
                self.words("BETWEEN");
                self.sum(depth - 1);
                self.words("AND");
                self.sum(depth - 1);
            }
            _ => {
                self.words("IN");
                self.token("(");
                self.select(depth - 1);
                self.token(")");
            }
        }
    }

    fn sum(&mut self, depth: usize) {
        self.product(depth);
        while self.one_in(6) {
            let sign = ["+", "-"][self.below(2)];
            self.token(sign);
            self.product(depth);
        }
    }

    fn product(&mut self, depth: usize) {
        self.operand(depth);
        while self.one_in(8) {
            let sign = ["*", "/", "%"][self.below(3)];
            self.token(sign);
            self.operand(depth);
        }
    }

    fn operand(&mut self, depth: usize) {
        while self.one_in(10) {
            self.token("-");
        }
        match self.below(if depth == 0 { 7 } else { 14 }) {
            0..=2 => self.value(),
            3 | 4 => self.name(),
            5 => {
                let name = format!("{}.{}", self.quoted_name(), self.quoted_name());
                self.token(name);
            }
            6 => {
                let name = ["@@version", "@@session.autocommit", "NOW()", "COUNT(*)", "DATABASE()"][self.below(5)];
                self.token(name);
            }
            11..=13 => self.value(),
            7 => {
                self.token("(");
                self.condition(depth - 1);
                self.token(")");
            }
            8 => {
                let function = ["CONCAT", "ifnull", "Lower"][self.below(3)];
                self.token(function);
                self.token("(");
                self.list(3, |of| of.sum(depth - 1));
                self.token(")");
            }
            9 => self.case(depth - 1),
            _ => {
                let exists = self.one_in(2);
                if exists {
                    self.token("(");
                    self.words("EXISTS");
                }
                self.token("(");
                self.select(depth - 1);
                self.token(")");
                if exists {
                    self.token(")");
                }
            }
        }
    }

    fn case(&mut self, depth: usize) {
        self.words("CASE");
        if self.one_in(2) {
            self.sum(depth);
        }
        for _ in 0..=self.below(2) {
            self.words("WHEN");
            self.condition(depth);
            self.words("THEN");
            self.sum(depth);
        }
        if self.one_in(2) {
            self.words("ELSE");
            self.sum(depth);
        }
        self.words("END");
    }
}
