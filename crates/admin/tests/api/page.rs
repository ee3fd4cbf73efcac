//! The page: whole in the binary, under a policy that lets it load nothing else.

use crate::client::{To, with_site};

#[test]
fn the_page_needs_nothing_from_elsewhere_and_runs_no_inline_script() {
    with_site(async |site| {
        let page = site.get(To::Tcp, "/").await;
        assert_eq!(page.status, 200);
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert!(!page.text.contains("<style") && !page.text.contains(" style="));
        assert!(!page.text.contains(" onclick=") && !page.text.contains("http"));
        let mut total = page.text.len();
        for part in page.text.split("\"/ui/").skip(1) {
            let path = format!("/ui/{}", part.split('"').next().unwrap());
            let file = site.get(To::Tcp, &path).await;
            assert_eq!(file.status, 200, "{path}");
            total += file.text.len();
        }
        assert!((10_000..200_000).contains(&total), "{total} bytes");
    });
}

#[test]
fn the_script_asks_v1_only_and_never_writes_markup() {
    with_site(async |site| {
        let script = site.get(To::Tcp, "/ui/app.js").await.text;
        for never in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!script.contains(never), "{never}");
        }
        for quote in ["\"/", "'/", "`/"] {
            for part in script.split(quote).skip(1) {
                assert!(
                    part.starts_with("v1/"),
                    "{}",
                    part.chars().take(30).collect::<String>()
                );
            }
        }
    });
}
