//! Between the function and AWS.

use std::future::Future;
use std::sync::Arc;

use super::call::{Call, depth};
use super::fault::{Fault, Nth, Rule, Watch};
use super::port::Port;
use super::traffic::Traffic;
use crate::background::{Ongoing, home};
use crate::error::Result;
use crate::http::serve;
use crate::secrets::SecretsManager;
use parking_lot::Mutex;

/// The endpoint of a function's Secrets Manager (and RDS): records every call, and breaks those that a test names.
///
/// Clones are the same gate.
#[derive(Clone, Debug)]
pub struct ApiGate {
    traffic: Arc<Traffic>,
    port: Arc<Port>,
    server: Arc<Mutex<Option<Ongoing>>>,
}

impl ApiGate {
    /// A gate of one's own in front of `behind`.
    pub async fn start(behind: &SecretsManager) -> Result<Self> {
        let traffic = Arc::new(Traffic {
            behind: behind.clone(),
            state: Mutex::default(),
        });
        let port = Port::any()?;
        let server = listen(&traffic, &port).await?;
        Ok(Self {
            traffic,
            port: Arc::new(port),
            server: Arc::new(Mutex::new(Some(server))),
        })
    }

    /// What the function is given as its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.traffic.state.lock().calls.clone()
    }

    /// The names of the operations so far, in order.
    pub fn operations(&self) -> Vec<String> {
        self.traffic
            .state
            .lock()
            .calls
            .iter()
            .map(|call| call.operation.clone())
            .collect()
    }

    /// How many calls had to wait for one another.
    pub fn depth(&self) -> usize {
        depth(&self.traffic.state.lock().calls)
    }

    /// Forgets the calls so far, and their answers.
    pub fn forget(&self) {
        let mut state = self.traffic.state.lock();
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
        self.traffic.state.lock().addresses.add(beginning, host);
    }

    /// Takes back every rule.
    pub fn heal(&self) {
        self.traffic.state.lock().watches.clear();
    }

    /// Stops listening: connections are refused, open ones cut.
    pub fn close(&self) {
        if let Some(server) = &*self.server.lock() {
            server.end();
        }
    }

    /// Listens again, at the same address.
    pub async fn open(&self) -> Result<()> {
        let former = self.server.lock().take();
        if let Some(former) = former {
            former.ended().await;
        }
        let server = listen(&self.traffic, &self.port).await?;
        *self.server.lock() = Some(server);
        Ok(())
    }

    fn watch(&self, operation: &str, nth: impl Into<Nth>, rule: Rule) {
        let watch = Watch {
            operation: operation.to_owned(),
            nth: nth.into(),
            seen: 0,
            rule,
        };
        self.traffic.state.lock().watches.push(watch);
    }
}

async fn listen(traffic: &Arc<Traffic>, port: &Port) -> Result<Ongoing> {
    let (traffic, listener) = (Arc::clone(traffic), port.listen().await?);
    Ok(serve(listener, move |request| {
        let traffic = Arc::clone(&traffic);
        // What has arrived takes effect, whether or not its sender waits for the answer.
        home(async move { traffic.pass(request).await })
    }))
}
