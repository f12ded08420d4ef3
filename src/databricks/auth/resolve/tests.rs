//! Tests of the order in which credentials are found.

use super::*;
use secrecy::ExposeSecret;

const HOST: &str = "https://a.example";

struct Home {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Home {
    fn new(profiles: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(".databrickscfg"), profiles).expect("writes");
        std::fs::write(folder.path().join("databricks"), "").expect("writes");
        let mut environment: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        environment.insert("PATH".to_owned(), folder.path().to_string_lossy().into_owned());
        Self { folder, environment }
    }

    fn resolve(&self, source: &CredentialSource) -> Result<Credentials, AuthError> {
        resolve(source, HOST, &self.environment, Some(self.folder.path()))
    }

    fn chain(&self) -> Result<Credentials, AuthError> {
        self.resolve(&CredentialSource::Default)
    }
}

/// What the tests compare: the method and the secret or the target.
fn told(credentials: &Credentials) -> String {
    match &credentials.method {
        Method::Token(token) => format!("pat {}", token.expose_secret()),
        Method::ClientSecret(client) => format!("m2m {} {}", client.client_id, client.client_secret.expose_secret()),
        Method::Cli(login) => format!("cli {:?}", login.target),
    }
}

fn found(result: Result<Credentials, AuthError>) -> String {
    told(&result.expect("resolves"))
}

#[test]
fn the_environment_comes_before_the_file() {
    let file = "[DEFAULT]\nhost = https://a.example\ntoken = from-file\n";
    assert_eq!(found(Home::new(file, &[("DATABRICKS_TOKEN", "from-env")]).chain()), "pat from-env");
    assert_eq!(found(Home::new(file, &[]).chain()), "pat from-file");
    assert_eq!(found(Home::new(file, &[("DATABRICKS_TOKEN", "")]).chain()), "pat from-file", "empty is not set");
}

#[test]
fn a_named_profile_is_read_beside_the_environment() {
    let file = "[work]\nclient_id = id\nclient_secret = \"sec\" # note\n";
    let work = ("DATABRICKS_CONFIG_PROFILE", "work");
    assert_eq!(found(Home::new(file, &[work]).chain()), "m2m id sec");
    let mixed = Home::new(file, &[work, ("DATABRICKS_TOKEN", "t")]).chain().expect_err("two methods");
    assert_eq!(mixed, AuthError::SeveralMethods { methods: vec!["oauth".into(), "pat".into()] });
    let chosen = [work, ("DATABRICKS_TOKEN", "t"), ("DATABRICKS_AUTH_TYPE", "pat")];
    assert_eq!(found(Home::new(file, &chosen).chain()), "pat t");
    let missing = Home::new(file, &[("DATABRICKS_CONFIG_PROFILE", "gone")]).chain().expect_err("missing");
    assert!(matches!(missing, AuthError::NoProfile { .. }));
}

#[test]
fn a_lone_foreign_attribute_trips_it_as_in_the_sdk() {
    let home = Home::new("", &[("DATABRICKS_TOKEN", "t"), ("ARM_TENANT_ID", "x")]);
    let error = home.chain().expect_err("two methods");
    assert_eq!(error.to_string(), "more than one authorization method configured: azure and pat");
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let error = Home::new("", &[("ARM_TENANT_ID", "x")]).chain().expect_err("not known");
    assert_eq!(error, AuthError::Unsupported { method: "azure".into() });
    for variable in ["DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"] {
        let error = Home::new("", &[(variable, "x")]).chain().expect_err("not known");
        assert_eq!(error, AuthError::Unsupported { method: "file-oidc".into() }, "{variable}");
    }
    let error = Home::new("", &[("DATABRICKS_AUTH_TYPE", "external-browser")]).chain().expect_err("not known");
    assert!(error.to_string().contains("external-browser"), "{error}");
}

#[test]
fn without_anything_the_cli_speaks_for_the_host() {
    assert_eq!(found(Home::new("", &[]).chain()), r#"cli Host("https://a.example")"#);
    let own = "[DEFAULT]\nhost = a.example\nauth_type = databricks-cli\n";
    assert_eq!(found(Home::new(own, &[]).chain()), r#"cli Profile("DEFAULT")"#);
}

#[test]
fn a_credential_of_another_host_is_never_used() {
    let file = "[DEFAULT]\nhost = https://b.example\ntoken = theirs\n";
    assert_eq!(found(Home::new(file, &[]).chain()), r#"cli Host("https://a.example")"#, "not meant for this one");
    let home = Home::new(file, &[("DATABRICKS_CONFIG_PROFILE", "DEFAULT")]);
    assert!(matches!(home.chain(), Err(AuthError::OtherHost { .. })));
    let named = Home::new(file, &[]).resolve(&CredentialSource::Profile("DEFAULT".into())).expect_err("another host");
    assert_eq!(
        named.to_string(),
        "profile DEFAULT is for https://b.example, but the workspace's host is https://a.example"
    );
    let home = Home::new("", &[("DATABRICKS_HOST", "b.example"), ("DATABRICKS_TOKEN", "theirs")]);
    assert!(matches!(home.chain(), Err(AuthError::OtherHost { .. })));
}

#[test]
fn a_configured_profile_hears_nothing_from_the_environment() {
    let home = Home::new("[p]\ntoken = mine\n", &[("DATABRICKS_CLIENT_ID", "x"), ("DATABRICKS_TOKEN", "other")]);
    assert_eq!(found(home.resolve(&CredentialSource::Profile("p".into()))), "pat mine");
}

#[test]
fn the_file_can_be_elsewhere() {
    let mut home = Home::new("[DEFAULT]\ntoken = usual\n", &[]);
    std::fs::write(home.folder.path().join("other.cfg"), "[DEFAULT]\ntoken = other\n").expect("writes");
    home.environment.insert("DATABRICKS_CONFIG_FILE".into(), "~/other.cfg".into());
    assert_eq!(found(home.chain()), "pat other");
}

#[test]
fn references_lead_to_secrets_or_say_why_not() {
    let home = Home::new("", &[("MY_TOKEN", " t \n")]);
    let token = |source| home.resolve(&CredentialSource::Token(source));
    assert_eq!(found(token(SecretSource::Environment("MY_TOKEN".into()))), "pat t");
    assert_eq!(
        token(SecretSource::Environment("NO_SUCH".into())).expect_err("unset"),
        AuthError::NoVariable { name: "NO_SUCH".into() }
    );
    let path = home.folder.path().join("token");
    assert!(matches!(token(SecretSource::File(path.clone())), Err(AuthError::NoFile { .. })));
    std::fs::write(&path, "\n").expect("writes");
    assert!(token(SecretSource::File(path.clone())).expect_err("empty").to_string().contains("empty"));
    std::fs::write(&path, "from-file\n").expect("writes");
    assert_eq!(found(token(SecretSource::File(path.clone()))), "pat from-file");
    let client = CredentialSource::Client { id: "id".into(), secret: SecretSource::File(path) };
    assert_eq!(found(home.resolve(&client)), "m2m id from-file");
}

#[test]
fn an_incomplete_method_names_what_is_missing() {
    let error = Home::new("", &[("DATABRICKS_CLIENT_ID", "id")]).chain().expect_err("incomplete");
    assert!(error.to_string().contains("client_secret"), "{error}");
}

#[test]
fn no_secret_shows_in_debug() {
    for (name, value) in [("DATABRICKS_TOKEN", "s3cret"), ("UNRELATED", "s3cret")] {
        let home = Home::new("", &[(name, value)]);
        assert!(!format!("{:?}", home.chain()).contains("s3cret"));
    }
}
