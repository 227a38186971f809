//! Which pipes a statement reads, one after the other: those it names, or all of a kind.

use super::SqlError;
use super::paging::Paging;
use super::table::Domain;
use crate::pipe::Pipe;

/// Most pipes whose names are read from the node at a time.
const PAGE_PIPES: usize = 1_000;

pub(super) struct EachPipe {
    domain: Domain,
    page: std::vec::IntoIter<Pipe>,
    /// What follows the page.
    rest: Option<(Kind, Paging<Pipe>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Named pipes that keep messages.
    Kept,
    /// Named pipes that somebody listens to.
    Listened,
    /// The logs of users that keep messages or are listened to.
    Logs,
}

impl EachPipe {
    pub fn named(domain: &Domain, pipes: std::vec::IntoIter<Pipe>) -> EachPipe {
        EachPipe { domain: domain.clone(), page: pipes, rest: None }
    }

    /// All of the tenant's, in their order.
    pub fn of(domain: &Domain, kind: Kind) -> EachPipe {
        let rest = Some((kind, Paging::new(PAGE_PIPES)));
        EachPipe { domain: domain.clone(), page: Vec::new().into_iter(), rest }
    }

    /// Some of them, at most `count_max`; none is the end.
    pub async fn some(&mut self, count_max: usize) -> Result<Vec<Pipe>, SqlError> {
        let mut some: Vec<Pipe> = self.next().await?.into_iter().collect();
        let more = count_max.saturating_sub(some.len());
        some.extend(self.page.by_ref().take(more));
        Ok(some)
    }

    pub async fn next(&mut self) -> Result<Option<Pipe>, SqlError> {
        loop {
            if let Some(pipe) = self.page.next() {
                return Ok(Some(pipe));
            }
            let Some((kind, paging)) = self.rest.as_mut().filter(|(_, paging)| !paging.is_over()) else {
                return Ok(None);
            };
            let page = kind.page(&self.domain, paging.after()).await?;
            paging.has_read(&page, Pipe::clone);
            self.page = page.into_iter();
        }
    }
}

impl Kind {
    async fn page(self, domain: &Domain, after: Option<&Pipe>) -> Result<Vec<Pipe>, SqlError> {
        let Domain { node, tenant, .. } = domain;
        let (name, user) = match after {
            Some(Pipe::Named(_, name)) => (Some(name), None),
            Some(Pipe::Log(_, user)) => (None, Some(*user)),
            None => (None, None),
        };
        let named = |name| Pipe::Named(*tenant, name);
        Ok(match self {
            Kind::Kept => node.kept(*tenant, name, PAGE_PIPES).await?.into_iter().map(named).collect(),
            Kind::Listened => {
                let page = node.listened(*tenant, name, PAGE_PIPES).await?;
                page.into_iter().map(|(name, _)| named(name)).collect()
            }
            Kind::Logs => {
                let page = node.logs(*tenant, user, PAGE_PIPES).await?;
                page.into_iter().map(|user| Pipe::Log(*tenant, user)).collect()
            }
        })
    }
}
