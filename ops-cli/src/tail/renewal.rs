//! Explains to the user how to renew expired credentials.

use aws_types::os_shim_internal::{Env, Fs};

use crate::global::Global;

/// Names the command that renews the credentials of this configuration.
pub async fn advice(global: &Global) -> String {
    let name = global.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok()).filter(|name| !name.is_empty());
    let is_in_environment = std::env::var_os("AWS_ACCESS_KEY_ID").is_some();
    if global.profile.is_none() && is_in_environment {
        return "AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN of this shell have expired, and only a new shell can change them: \
                export new ones, or use --profile, and run the command again"
            .to_owned();
    }
    let name = name.unwrap_or_else(|| "default".to_owned());
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
    let profile = profiles.as_ref().ok().and_then(|profiles| profiles.get_profile(&name));
    let has = |key: &str| profile.is_some_and(|profile| profile.get(key).is_some());
    for_profile(&name, has)
}

fn for_profile(name: &str, has: impl Fn(&str) -> bool) -> String {
    if has("sso_session") || has("sso_start_url") {
        format!("renew them with: aws sso login --profile {name}")
    } else if has("login_session") {
        format!("renew them with: aws login --profile {name}")
    } else if has("credential_process") {
        format!("run the credential_process of the profile {name}, and sign in where it asks you to")
    } else {
        format!("renew the keys of the profile {name}: aws configure --profile {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::for_profile;

    #[test]
    fn the_command_fits_the_profile() {
        let advice = |key: &'static str| for_profile("dev", |asked| asked == key);
        assert_eq!(advice("sso_session"), "renew them with: aws sso login --profile dev");
        assert_eq!(advice("login_session"), "renew them with: aws login --profile dev");
        assert!(advice("").ends_with("aws configure --profile dev"));
    }
}
