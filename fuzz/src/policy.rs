//! Policies in IAM's JSON.

use campanile::control::access::Context;
use campanile::control::access::policy::{Decision, Policy, Request, evaluate};

/// A text: no panic and no long time, as either kind of policy; whatever it says, the order of policies does not
/// count, a deny of everything wins over it, and beside an allowance of everything only it itself can deny.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let context = Context::new()
        .with("aws:username", "ada")
        .with("aws:SourceIp", "192.0.2.1")
        .with("aws:CurrentTime", "2026-03-01T00:00:00Z")
        .with("aws:SecureTransport", "true");
    let request = |resource| Request {
        principal: "arn:aws:iam::123456789012:user/ada",
        action: "chime:GetMeeting",
        resource,
        context: &context,
    };
    let meeting = request("arn:aws:chime:us-east-1:123456789012:meeting/m");
    if let Ok(trust) = Policy::trust(text) {
        let _ = trust.trusts(&meeting);
    }
    let policy = match Policy::identity(text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let _ = policy.unknown_operators();
    let all = |effect: &str| {
        let text =
            format!(r#"{{"Statement":{{"Effect":"{effect}","Action":"*","Resource":"*"}}}}"#);
        Policy::identity(&text).unwrap_or_else(|e| panic!("{e}"))
    };
    let (allow, deny) = (all("Allow"), all("Deny"));
    for request in [meeting, request("*")] {
        let alone = evaluate([&policy], &request);
        let beside = evaluate([&allow, &policy], &request);
        assert_eq!(beside, evaluate([&policy, &allow], &request));
        assert_eq!(
            beside == Decision::ExplicitDeny,
            alone == Decision::ExplicitDeny
        );
        assert_ne!(beside, Decision::ImplicitDeny);
        assert_eq!(evaluate([&policy, &deny], &request), Decision::ExplicitDeny);
    }
}
