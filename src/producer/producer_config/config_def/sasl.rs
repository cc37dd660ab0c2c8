//! Keys of SASL: passwords, Kerberos, OAuth.
//!
//! Java: `common/config/SaslConfigs.java`.
//! Differs: see `config_def`.
//! Threads: constants. Locks: none.

use super::Default::{Null, Value};
use super::Support::{JvmOnly, NotYet};
use super::Valid::{Any, Between, Fraction, OneOfAnyCase};
use super::{ConfigKey, Importance, Type, key_table};

key_table! {
    "sasl.client.callback.handler.class", Class, Null, Any, Medium, JvmOnly(HANDLER);
    "Java code that answers a mechanism's questions."
    "sasl.jaas.config", Password, Null, Any, Medium, NotYet(SASL);
    "The login module and its options, as one line of a JAAS file."
    "sasl.kerberos.kinit.cmd", String, Value("/usr/bin/kinit"), Any, Low, JvmOnly(KERBEROS);
    "The path of the `kinit` command."
    "sasl.kerberos.min.time.before.relogin", Long, Value("60000"), Any, Low, JvmOnly(KERBEROS);
    "How long Java's login thread sleeps between two tries."
    "sasl.kerberos.service.name", String, Null, Any, Medium, NotYet(SASL);
    "The Kerberos service name under which brokers run."
    "sasl.kerberos.ticket.renew.jitter", Double, Value("0.05"), Any, Low, JvmOnly(KERBEROS);
    "How much of the renewal time is left to chance."
    "sasl.kerberos.ticket.renew.window.factor", Double, Value("0.8"), Any, Low, JvmOnly(KERBEROS);
    "At which part of a ticket's life it is renewed."
    "sasl.login.callback.handler.class", Class, Null, Any, Medium, JvmOnly(HANDLER);
    "Java code that answers a login module's questions."
    "sasl.login.class", Class, Null, Any, Medium, JvmOnly(HANDLER);
    "Java code that logs in."
    "sasl.login.connect.timeout.ms", Int, Null, Any, Low, NotYet(OAUTH);
    "How long connecting to the token server may take."
    "sasl.login.read.timeout.ms", Int, Null, Any, Low, NotYet(OAUTH);
    "How long the token server may take to answer."
    "sasl.login.refresh.buffer.seconds", Short, Value("300"), Between(0, 3600), Low, NotYet(OAUTH);
    "How long before its end a token must have been replaced."
    "sasl.login.refresh.min.period.seconds", Short, Value("60"), Between(0, 900), Low, NotYet(OAUTH);
    "How long a token is kept at least before it is replaced."
    "sasl.login.refresh.window.factor", Double, Value("0.8"), Fraction(0.5, 1.0), Low, NotYet(OAUTH);
    "At which part of a token's life it is replaced."
    "sasl.login.refresh.window.jitter", Double, Value("0.05"), Fraction(0.0, 0.25), Low, NotYet(OAUTH);
    "How much of the replacement time is left to chance."
    "sasl.login.retry.backoff.max.ms", Long, Value("10000"), Any, Low, NotYet(OAUTH);
    "The longest wait before the token server is asked again."
    "sasl.login.retry.backoff.ms", Long, Value("100"), Any, Low, NotYet(OAUTH);
    "The first wait before the token server is asked again."
    "sasl.mechanism", String, Value("GSSAPI"), Any, Medium, NotYet(SASL);
    "How the client proves who it is."
    "sasl.oauthbearer.assertion.algorithm", String, Value("RS256"), OneOfAnyCase(&["ES256", "RS256"]), Medium, NotYet(OAUTH);
    "How the client signs its assertion."
    "sasl.oauthbearer.assertion.claim.aud", String, Null, Any, Medium, NotYet(OAUTH);
    "For whom the assertion is meant."
    "sasl.oauthbearer.assertion.claim.exp.seconds", Int, Value("300"), Between(0, 86_400), Low, NotYet(OAUTH);
    "How long the assertion is good for."
    "sasl.oauthbearer.assertion.claim.iss", String, Null, Any, Medium, NotYet(OAUTH);
    "Who issues the assertion."
    "sasl.oauthbearer.assertion.claim.jti.include", Boolean, Value("false"), Any, Medium, NotYet(OAUTH);
    "Whether the assertion carries an id of its own."
    "sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Value("60"), Between(0, 3600), Low, NotYet(OAUTH);
    "How far in the past the assertion's life begins."
    "sasl.oauthbearer.assertion.claim.sub", String, Null, Any, Medium, NotYet(OAUTH);
    "About whom the assertion speaks."
    "sasl.oauthbearer.assertion.file", String, Null, Any, Medium, NotYet(OAUTH);
    "A file with a ready assertion."
    "sasl.oauthbearer.assertion.private.key.file", String, Null, Any, Medium, NotYet(OAUTH);
    "The file with the key that signs the assertion."
    "sasl.oauthbearer.assertion.private.key.passphrase", Password, Null, Any, Medium, NotYet(OAUTH);
    "What decrypts the key that signs the assertion."
    "sasl.oauthbearer.assertion.template.file", String, Null, Any, Medium, NotYet(OAUTH);
    "A file with the fixed part of the assertion."
    "sasl.oauthbearer.client.credentials.client.id", String, Null, Any, Medium, NotYet(OAUTH);
    "The client's id at the token server."
    "sasl.oauthbearer.client.credentials.client.secret", Password, Null, Any, Medium, NotYet(OAUTH);
    "The client's secret at the token server."
    "sasl.oauthbearer.clock.skew.seconds", Int, Value("30"), Any, Low, JvmOnly(VALIDATION);
    "How far the clocks of broker and token server may differ."
    "sasl.oauthbearer.expected.audience", List, Value(""), Any, High, JvmOnly(VALIDATION);
    "The audiences that a broker takes tokens for."
    "sasl.oauthbearer.expected.issuer", String, Null, Any, High, JvmOnly(VALIDATION);
    "The issuer that a broker takes tokens from."
    "sasl.oauthbearer.header.urlencode", Boolean, Value("false"), Any, Low, NotYet(OAUTH);
    "Whether id and secret are URL-encoded for the token server."
    "sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Value("3600000"), Any, Low, JvmOnly(VALIDATION);
    "How often a broker fetches the keys of the token server."
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Value("10000"), Any, Low, JvmOnly(VALIDATION);
    "The longest wait before those keys are fetched again."
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Value("100"), Any, Low, JvmOnly(VALIDATION);
    "The first wait before those keys are fetched again."
    "sasl.oauthbearer.jwks.endpoint.url", String, Null, Any, Medium, JvmOnly(VALIDATION);
    "Where those keys are."
    "sasl.oauthbearer.jwt.retriever.class", Class, Value("class org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Any, Medium, JvmOnly(HANDLER);
    "Java code that fetches tokens."
    "sasl.oauthbearer.jwt.validator.class", Class, Value("class org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Any, Medium, JvmOnly(HANDLER);
    "Java code that checks tokens."
    "sasl.oauthbearer.scope", String, Null, Any, Medium, NotYet(OAUTH);
    "What the client asks to be allowed to do."
    "sasl.oauthbearer.scope.claim.name", String, Value("scope"), Any, Low, NotYet(OAUTH);
    "Which claim of a token holds its scope."
    "sasl.oauthbearer.sub.claim.name", String, Value("sub"), Any, Low, NotYet(OAUTH);
    "Which claim of a token holds its subject."
    "sasl.oauthbearer.token.endpoint.url", String, Null, Any, Medium, NotYet(OAUTH);
    "Where tokens are fetched."
}

const SASL: &str = "SASL is not built yet; use a listener without authentication";
const OAUTH: &str = "OAUTHBEARER is not built yet; use a listener without authentication";
const KERBEROS: &str = "tickets are kept by the system's Kerberos tools";
const HANDLER: &str = "a Rust trait will take its place when SASL comes";
const VALIDATION: &str = "tokens are checked by brokers, not by producers";
