//! Between the function and AWS.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;

use super::call::{Call, depth};
use super::fault::{Fault, Intervention, Nth, Rule};
use super::traffic::Traffic;
use crate::background::home;
use crate::error::Result;
use crate::http::converse;
use crate::listener::Listener;
use crate::secrets::SecretsManager;

/// The endpoint of a function's Secrets Manager (and RDS): records every call, and breaks those that a test names.
///
/// Clones are the same gate.
#[derive(Clone, Debug)]
pub struct ApiGate {
    traffic: Arc<Traffic>,
    listener: Arc<Listener>,
}

impl ApiGate {
    /// A gate of one's own in front of `behind`.
    pub async fn start(behind: &SecretsManager) -> Result<Self> {
        let traffic = Arc::new(Traffic {
            behind: behind.clone(),
            state: Mutex::default(),
        });
        let behind = Arc::clone(&traffic);
        let listener = Listener::start(move |stream| {
            let traffic = Arc::clone(&behind);
            converse(stream, move |request| {
                let traffic = Arc::clone(&traffic);
                // What has arrived takes effect, whether or not its sender waits for the answer.
                home(async move { traffic.pass(request).await })
            })
        });
        Ok(Self {
            traffic,
            listener: Arc::new(listener.await?),
        })
    }

    /// What the function is given as its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.traffic.state.lock().calls.clone()
    }

    /// The names of the operations so far, in order.
    pub fn operations(&self) -> Vec<String> {
        let calls = self.calls().into_iter();
        calls.map(|call| call.operation).collect()
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
        self.rule(operation, nth, Intervention::Fault(fault));
    }

    /// Does something before the `nth` call of `operation` (`*`: any) takes effect; the call waits for it.
    pub fn before<F>(
        &self,
        operation: &str,
        nth: impl Into<Nth>,
        act: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.rule(
            operation,
            nth,
            Intervention::Before(Arc::new(move |call| Box::pin(act(call)))),
        );
    }

    /// Does something once the `nth` call of `operation` (`*`: any) took effect, before the function hears of it.
    pub fn after<F>(
        &self,
        operation: &str,
        nth: impl Into<Nth>,
        act: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.rule(
            operation,
            nth,
            Intervention::After(Arc::new(move |call| Box::pin(act(call)))),
        );
    }

    /// Leads to this machine: an address of RDS's that begins so becomes `host`; of two that fit, the first one told.
    pub fn lead(&self, beginning: &str, host: &str) {
        self.traffic.state.lock().addresses.add(beginning, host);
    }

    /// Takes back every rule.
    pub fn heal(&self) {
        self.traffic.state.lock().rules.clear();
    }

    /// Stops listening: connections are refused, open ones cut.
    pub fn close(&self) {
        self.listener.close();
    }

    /// Listens again, at the same address.
    pub async fn open(&self) -> Result<()> {
        self.listener.open().await
    }

    fn rule(&self, operation: &str, nth: impl Into<Nth>, intervention: Intervention) {
        let rule = Rule {
            operation: operation.to_owned(),
            nth: nth.into(),
            seen: 0,
            intervention,
        };
        self.traffic.state.lock().rules.push(rule);
    }
}
