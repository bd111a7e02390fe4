//! The method and path of a REST operation.

use http::Method;
use percent_encoding::percent_decode_str;

/// A method and a path template: `GET /2015-03-31/functions/{FunctionName}/code`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Route(pub &'static str);

impl Route {
    pub fn method(self) -> &'static str {
        self.0.split_once(' ').map_or("", |(method, _)| method)
    }

    pub fn template(self) -> &'static str {
        self.0.split_once(' ').map_or("", |(_, template)| template)
    }

    /// The percent-decoded text in place of each `{…}`. `None` if the request is not for this route.
    pub fn members(self, method: &Method, path: &str) -> Option<Vec<String>> {
        if self.method() != method.as_str() {
            return None;
        }
        let mut found = Vec::new();
        let mut segments = path.trim_end_matches('/').split('/');
        for expected in self.template().split('/') {
            let segment = segments.next()?;
            if expected.starts_with('{') && !segment.is_empty() {
                found.push(percent_decode_str(segment).decode_utf8_lossy().into_owned());
            } else if expected != segment {
                return None;
            }
        }
        segments.next().is_none().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIAS: Route = Route("GET /2015-03-31/functions/{FunctionName}/aliases/{Name}");

    #[test]
    fn a_route_matches_its_method_and_path_and_decodes_the_members() {
        let members = |path| ALIAS.members(&Method::GET, path);
        let expected = ["f:1".to_owned(), "a".to_owned()];
        assert_eq!(members("/2015-03-31/functions/f%3A1/aliases/a").as_deref(), Some(&expected[..]));
        assert_eq!(members("/2015-03-31/functions/f%3A1/aliases/a/").as_deref(), Some(&expected[..]));
        for other in ["/2015-03-31/functions/f/aliases", "/2015-03-31/functions/f/aliases/a/b", "/", ""] {
            assert_eq!(members(other), None, "{other}");
        }
        assert_eq!(ALIAS.members(&Method::PUT, "/2015-03-31/functions/f/aliases/a"), None);
    }
}
