//! Reading AWS's XML: by paths, and with an error that says what is missing. Writing it: only the escape. No DTD is read.

use bascule_provider::Error;
use roxmltree::{Document, Node};

use crate::send::Answer;

impl Answer {
    /// The answer as a document whose outermost element has this name.
    ///
    /// # Errors
    /// [`Invalid`](bascule_provider::Kind::Invalid) when it is something else: a proxy's page, half an answer.
    pub(crate) fn document(&self, root: &str) -> Result<Document<'_>, Error> {
        let document = Document::parse(&self.body)
            .map_err(|error| self.unfit("the answer is not XML").because(error))?;
        let name = document.root_element().tag_name().name();
        if name != root {
            return Err(self.unfit(format!("the answer is a {name}, not a {root}")));
        }
        Ok(document)
    }

    /// The text at this path.
    ///
    /// # Errors
    /// [`Invalid`](bascule_provider::Kind::Invalid) when there is none.
    pub(crate) fn need<'a>(&self, node: Node<'a, '_>, path: &str) -> Result<&'a str, Error> {
        text(node, path).ok_or_else(|| self.unfit(format!("the answer lacks {path}")))
    }

    /// The number at this path.
    ///
    /// # Errors
    /// [`Invalid`](bascule_provider::Kind::Invalid) when there is none.
    pub(crate) fn number(&self, node: Node<'_, '_>, path: &str) -> Result<u32, Error> {
        let text = self.need(node, path)?;
        text.parse()
            .map_err(|_| self.unfit(format!("{path} is {text}, not a number")))
    }
}

/// The element at this path of names.
pub(crate) fn at<'a, 'input>(node: Node<'a, 'input>, path: &str) -> Option<Node<'a, 'input>> {
    path.split('/').try_fold(node, |node, name| {
        node.children()
            .find(|child| child.is_element() && child.tag_name().name() == name)
    })
}

/// The text of the element at this path; none where it is missing or empty.
pub(crate) fn text<'a>(node: Node<'a, '_>, path: &str) -> Option<&'a str> {
    at(node, path)?.text()
}

/// The elements of a list: those named `item` in the element at this path.
pub(crate) fn list<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    path: &str,
    item: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    at(node, path)
        .into_iter()
        .flat_map(|list| list.children())
        .filter(move |child| child.is_element() && child.tag_name().name() == item)
}

/// Text as it stands between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
