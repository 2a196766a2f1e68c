//! Between the function and AWS.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::call::{Call, depth};
use super::fault::{Fault, Nth, Rule, Watch};
use super::traffic::{State, Traffic};
use crate::background::{eventually, home};
use crate::error::Result;
use crate::http::{Server, serve};
use crate::secrets::SecretsManager;

/// The endpoint of a function's Secrets Manager (and RDS): records every call, and breaks those that a test names.
///
/// Clones are the same gate.
#[derive(Clone, Debug)]
pub struct ApiGate {
    traffic: Arc<Traffic>,
    server: Arc<Mutex<Option<Server>>>,
    address: SocketAddr,
}

impl ApiGate {
    /// A gate of one's own in front of `behind`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(behind: &SecretsManager) -> Result<Self> {
        let traffic = Arc::new(Traffic {
            behind: behind.clone(),
            state: Mutex::default(),
        });
        let server = listen(&traffic, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = server.address;
        Ok(Self {
            traffic,
            server: Arc::new(Mutex::new(Some(server))),
            address,
        })
    }

    /// What the function is given as its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The names of the operations so far, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        self.state()
            .calls
            .iter()
            .map(|call| call.operation.clone())
            .collect()
    }

    /// How many calls had to wait for one another.
    #[must_use]
    pub fn depth(&self) -> usize {
        depth(&self.state().calls)
    }

    /// Forgets the calls so far, and their answers.
    pub fn forget(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.remembered.clear();
    }

    /// Breaks the `nth` call of `operation` (`*`: any; or with the label, as in [`Call::name`]) from now on.
    pub fn answer(&self, operation: &str, nth: impl Into<Nth>, fault: Fault) {
        self.watch(operation, nth, Rule::Fault(fault));
    }

    /// Does something before the `nth` call of `operation` (`*`: any) takes effect; the call waits for it.
    pub fn before<F>(
        &self,
        operation: &str,
        nth: impl Into<Nth>,
        deed: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.watch(
            operation,
            nth,
            Rule::Before(Arc::new(move |call| Box::pin(deed(call)))),
        );
    }

    /// Does something once the `nth` call of `operation` (`*`: any) took effect, before the function hears of it.
    pub fn after<F>(
        &self,
        operation: &str,
        nth: impl Into<Nth>,
        deed: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.watch(
            operation,
            nth,
            Rule::After(Arc::new(move |call| Box::pin(deed(call)))),
        );
    }

    /// Leads to this machine: an address of RDS's that begins so becomes `host`; of two that fit, the first one told.
    pub fn lead(&self, beginning: &str, host: &str) {
        self.state().addresses.add(beginning, host);
    }

    /// Takes back every rule.
    pub fn heal(&self) {
        self.state().watches.clear();
    }

    /// Stops listening: connections are refused, open ones cut.
    pub fn close(&self) {
        drop(
            self.server
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    /// Somebody else has taken the port.
    pub async fn open(&self) -> Result<()> {
        self.close();
        // The one that was closed may take a moment to go.
        let server = eventually("the port to be free", Duration::from_secs(5), async || {
            Ok(listen(&self.traffic, self.address).await.ok())
        });
        let server = server.await?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    fn watch(&self, operation: &str, nth: impl Into<Nth>, rule: Rule) {
        let watch = Watch {
            operation: operation.to_owned(),
            nth: nth.into(),
            seen: 0,
            rule,
        };
        self.state().watches.push(watch);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.traffic.state()
    }
}

async fn listen(traffic: &Arc<Traffic>, address: SocketAddr) -> Result<Server> {
    let traffic = Arc::clone(traffic);
    serve(address, move |request| {
        let traffic = Arc::clone(&traffic);
        // What has arrived takes effect, whether or not its sender waits for the answer.
        home(async move { traffic.pass(request).await })
    })
    .await
}
