//! What is counted, over all nodes together.

use serde::{Deserialize, Serialize};

use super::letters::envelope::Question;
use super::{End, Node, Others};
use crate::user::TenantId;

/// What SHOW STATUS tells of many nodes as one sum. A count that a node does not have is 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub browsers_connected: u64,
    /// Of the tenant whose login asks.
    pub browsers_of_tenant: u64,
    pub sql_clients_connected: u64,
    /// Those that the login which asks may see.
    pub sql_clients_seen: u64,
    pub frames_delivered: u64,
    pub messages_published: u64,
    pub statements: u64,
    pub browsers_too_slow: u64,
    pub gaps_declared: u64,
    pub letters_unanswered: u64,
    pub questions_refused: u64,
}

impl Counts {
    fn plus(self, other: Counts) -> Counts {
        let sum = u64::saturating_add;
        Counts {
            browsers_connected: sum(self.browsers_connected, other.browsers_connected),
            browsers_of_tenant: sum(self.browsers_of_tenant, other.browsers_of_tenant),
            sql_clients_connected: sum(self.sql_clients_connected, other.sql_clients_connected),
            sql_clients_seen: sum(self.sql_clients_seen, other.sql_clients_seen),
            frames_delivered: sum(self.frames_delivered, other.frames_delivered),
            messages_published: sum(self.messages_published, other.messages_published),
            statements: sum(self.statements, other.statements),
            browsers_too_slow: sum(self.browsers_too_slow, other.browsers_too_slow),
            gaps_declared: sum(self.gaps_declared, other.gaps_declared),
            letters_unanswered: sum(self.letters_unanswered, other.letters_unanswered),
            questions_refused: sum(self.questions_refused, other.questions_refused),
        }
    }
}

impl Node {
    /// What was counted on this node and the others, as a login of `tenant` sees it.
    pub async fn counts(&self, tenant: TenantId, others: &mut Others) -> Counts {
        let question = Question::Counts { tenant: tenant.0 };
        let theirs = self.ask_others(others, &question).await;
        theirs.into_iter().fold(self.counts_here(tenant), Counts::plus)
    }

    /// The same, on this node alone.
    pub fn counts_here(&self, tenant: TenantId) -> Counts {
        let status = &self.status;
        Counts {
            browsers_connected: status.browsers_connected(),
            browsers_of_tenant: status.browsers_of(tenant),
            sql_clients_connected: status.sql_clients_connected(),
            sql_clients_seen: self.clients.count_seen_by(tenant) as u64,
            frames_delivered: status.frames_delivered(),
            messages_published: status.messages_published(),
            statements: status.statements(),
            browsers_too_slow: status.browsers_too_slow(),
            gaps_declared: status.gaps_declared(),
            letters_unanswered: status.letters_unanswered(),
            questions_refused: status.questions_refused(),
        }
    }

    /// As [`Node::end_here`], on the other nodes.
    pub async fn end_elsewhere(&self, tenant: TenantId, number: u64, end: End, others: &mut Others) -> bool {
        let statement_only = end == End::Statement;
        let question = Question::End { tenant: tenant.0, number, statement_only };
        self.ask_others(others, &question).await.contains(&true)
    }

    /// Ends the SQL client, its statement, or the browser's connection that has this number, for a login of `tenant`.
    /// Answers whether there was one that it may see; a browser's connection runs no statement. A client whose number
    /// another node gives out by now stays: the other's is meant.
    pub async fn end_here(&self, tenant: TenantId, number: u64, end: End) -> bool {
        match u32::try_from(number) {
            Ok(id) => self.gives(id) && self.clients.end(id, tenant, end),
            Err(_) => end == End::Connection && self.disconnect(tenant, number).await,
        }
    }
}
