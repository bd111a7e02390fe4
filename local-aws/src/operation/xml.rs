//! Writing the query protocol's answers.

use jiff::Timestamp;
use quick_xml::escape::escape;
use uuid::Uuid;

/// Elements one after the other.
#[derive(Default)]
pub struct Xml(String);

impl Xml {
    /// `<name>text</name>`, the text escaped.
    pub fn text(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(text)));
    }

    pub fn time(&mut self, name: &str, time: Timestamp) {
        self.text(name, &time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }

    /// `<name>…</name>` around what `children` writes.
    pub fn element(&mut self, name: &str, children: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}>"));
        children(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// Escaped text, without an element of its own.
    pub fn raw_text(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    /// A list: each item as a `member`.
    pub fn list<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.element(name, |xml| {
            for item in items {
                xml.element("member", |xml| write(xml, item));
            }
        });
    }
}

/// The whole body of an answer; an action without a result has its metadata only.
pub fn response(action: &str, namespace: &str, result: Option<Xml>) -> String {
    let result = result.map(|xml| format!("<{action}Result>{}</{action}Result>", xml.0)).unwrap_or_default();
    let request = Uuid::new_v4();
    format!(
        "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{action}Response>"
    )
}
