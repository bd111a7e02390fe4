//! Sessions of roles: the temporary credentials of functions' processes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use crate::credentials::Credentials;
use crate::iam::{Iam, unique_id};
use crate::operation::Caller;

/// A handle on the open sessions of an account's roles. Clones share them.
#[derive(Clone)]
pub struct Sts {
    iam: Iam,
    sessions: Sessions,
}

/// The sessions whose credentials are accepted, by access key ID.
type Sessions = Arc<RwLock<HashMap<String, Arc<Session>>>>;

/// A role as one caller has assumed it.
#[derive(Debug)]
pub struct Session {
    pub credentials: Credentials,
    pub caller: Arc<Caller>,
}

/// A session whose credentials are accepted until this is dropped.
pub struct OpenSession {
    pub session: Arc<Session>,
    sessions: Sessions,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&self.session.credentials.access_key_id);
    }
}

impl Sts {
    pub fn new(iam: Iam) -> Self {
        Self { iam, sessions: Sessions::default() }
    }

    pub fn iam(&self) -> &Iam {
        &self.iam
    }

    /// Issues credentials for a session of the role with this ARN.
    pub fn open_session(&self, role_arn: &str, name: &str) -> OpenSession {
        let role_id = self.iam.role_id(role_arn).unwrap_or_else(|| unique_id("AROA"));
        // The role's path is not part of the session's ARN.
        let role_name = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let token = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
        let token: String = token.iter().map(|part| part.simple().to_string()).collect();
        let session = Arc::new(Session {
            credentials: Credentials { session_token: Some(token), ..Credentials::random() },
            caller: Arc::new(Caller {
                arn: format!("arn:aws:sts::{}:assumed-role/{role_name}/{name}", self.iam.account_id()),
                user_id: format!("{role_id}:{name}"),
            }),
        });
        let sessions = Arc::clone(&self.sessions);
        let mut open = sessions.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(session.credentials.access_key_id.clone(), Arc::clone(&session));
        drop(open);
        OpenSession { session, sessions }
    }

    /// The open session that has this access key.
    pub fn session(&self, access_key_id: &str) -> Option<Arc<Session>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(access_key_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::iam::Iam;
    use crate::operation::tests::call_query;
    use crate::store::Store;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

    fn caller(sts: &Sts, session: &Session) -> String {
        call_query(sts, "GetCallerIdentity", &BTreeMap::new(), Some(Arc::clone(&session.caller))).unwrap()
    }

    #[test]
    fn a_session_is_the_caller_until_it_is_dropped() {
        let iam = Iam::open("123456789012", Store::default()).unwrap();
        let sts = Sts::new(iam.clone());
        let role = [("RoleName", "r"), ("Path", "/team/"), ("AssumeRolePolicyDocument", TRUST)];
        let role = role.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let created = call_query(&iam, "CreateRole", &role, None).unwrap();
        let (_, id) = created.split_once("<RoleId>").unwrap();
        let (id, _) = id.split_once('<').unwrap();

        let open = sts.open_session("arn:aws:iam::123456789012:role/team/r", "f");
        let key = open.session.credentials.access_key_id.clone();
        let session = sts.session(&key).unwrap();
        let answer = caller(&sts, &session);
        assert!(answer.contains("<Arn>arn:aws:sts::123456789012:assumed-role/r/f</Arn>"), "{answer}");
        assert!(answer.contains(&format!("<UserId>{id}:f</UserId>")), "{answer}");
        assert!(session.credentials.session_token.is_some());

        let other = sts.open_session("arn:aws:iam::123456789012:role/gone", "f");
        assert_ne!(other.session.credentials.access_key_id, key);
        drop(open);
        assert!(sts.session(&key).is_none() && sts.session("LOCALX").is_none());
        assert!(sts.session(&other.session.credentials.access_key_id).is_some());
    }
}
