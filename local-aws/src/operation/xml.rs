//! Writes responses of the query protocol.

use jiff::Timestamp;
use quick_xml::escape::escape;
use uuid::Uuid;

/// A sequence of elements.
#[derive(Default)]
pub struct Xml(String);

impl Xml {
    /// Writes `<name>text</name>` and escapes the text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(text)));
    }

    pub fn time(&mut self, name: &str, time: Timestamp) {
        self.text(name, &time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }

    /// Writes `<name>…</name>` around the output of `children`.
    pub fn element(&mut self, name: &str, children: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}>"));
        children(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// Writes escaped text without an element.
    pub fn raw_text(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    /// Writes a list. Each item is a `member`.
    pub fn list<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.element(name, |xml| {
            for item in items {
                xml.element("member", |xml| write(xml, item));
            }
        });
    }
}

/// The whole body of a response. Without a result, it has only the metadata.
pub fn response(action: &str, namespace: &str, result: Option<Xml>) -> String {
    let result = result.map(|xml| format!("<{action}Result>{}</{action}Result>", xml.0)).unwrap_or_default();
    let request = Uuid::new_v4();
    format!(
        "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{action}Response>"
    )
}
