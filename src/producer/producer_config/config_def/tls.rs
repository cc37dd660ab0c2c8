//! Keys of TLS.
//!
//! Java: `common/config/SslConfigs.java`.
//! Differs: see `config_def`.
//! Threads: constants. Locks: none.

use super::Default::{Null, Value};
use super::Support::{JvmOnly, NotYet};
use super::Valid::Any;
use super::{ConfigKey, Importance, Type, key_table};

key_table! {
    "ssl.cipher.suites", List, Value(""), Any, Low, NotYet(TLS);
    "The cipher suites that may be used; empty leaves the choice to the TLS library."
    "ssl.enabled.protocols", List, Value("TLSv1.2,TLSv1.3"), Any, Medium, NotYet(TLS);
    "The TLS versions that may be used."
    "ssl.endpoint.identification.algorithm", String, Value("https"), Any, Low, NotYet(TLS);
    "Whether the broker's certificate must name the host; the empty value switches the check off."
    "ssl.engine.factory.class", Class, Null, Any, Low, JvmOnly("a TLS configuration object will take its place when TLS comes");
    "Java code that makes TLS engines."
    "ssl.key.password", Password, Null, Any, High, NotYet(TLS);
    "What decrypts the private key."
    "ssl.keymanager.algorithm", String, Value("SunX509"), Any, Low, JvmOnly("there is no key manager to choose");
    "Java's algorithm for its key manager."
    "ssl.keystore.certificate.chain", Password, Null, Any, High, NotYet(TLS);
    "The client's certificate chain as PEM text."
    "ssl.keystore.key", Password, Null, Any, High, NotYet(TLS);
    "The client's private key as PEM text."
    "ssl.keystore.location", String, Null, Any, High, NotYet(TLS);
    "The file with the client's key and certificates."
    "ssl.keystore.password", Password, Null, Any, High, NotYet(TLS);
    "What opens the key store file."
    "ssl.keystore.type", String, Value("JKS"), Any, Medium, NotYet(TLS);
    "The format of the key store."
    "ssl.protocol", String, Value("TLSv1.3"), Any, Medium, NotYet(TLS);
    "The newest TLS version to use."
    "ssl.provider", String, Null, Any, Medium, JvmOnly("cryptography is chosen by crate features");
    "The Java security provider for TLS."
    "ssl.secure.random.implementation", String, Null, Any, Low, JvmOnly("random numbers come from the system");
    "Java's random number generator for TLS."
    "ssl.trustmanager.algorithm", String, Value("PKIX"), Any, Low, JvmOnly("there is no trust manager to choose");
    "Java's algorithm for its trust manager."
    "ssl.truststore.certificates", Password, Null, Any, High, NotYet(TLS);
    "The certificates to trust as PEM text."
    "ssl.truststore.location", String, Null, Any, High, NotYet(TLS);
    "The file with the certificates to trust."
    "ssl.truststore.password", Password, Null, Any, High, NotYet(TLS);
    "What opens the trust store file."
    "ssl.truststore.type", String, Value("JKS"), Any, Medium, NotYet(TLS);
    "The format of the trust store."
}

const TLS: &str = "TLS is not built yet; use a PLAINTEXT listener or a TLS tunnel";
