//! Several releases of the chart in one cluster, as helm installs them.

use std::process::Output;

use crate::server::{create_namespace, kubeconfig, root, tool, with_namespace};

/// Installs a release `sluice` that lives in `home` and watches one namespace.
fn install(home: &str, watched: &str) -> Output {
    let mut helm = tool("helm");
    helm.arg("install").arg("sluice").arg(root().join("charts/sluice")).args(["--namespace", home]);
    helm.args(["--set", &format!("crds.enabled=false,watchNamespaces={{{watched}}}")]);
    helm.arg("--kubeconfig").arg(kubeconfig()).output().expect("helm runs")
}

#[test]
fn two_releases_watch_a_namespace_each_and_a_third_one_for_the_same_is_refused() {
    with_namespace(|client, shop| async move {
        let bank = create_namespace(&client).await;
        let homes = [
            create_namespace(&client).await,
            create_namespace(&client).await,
            create_namespace(&client).await,
        ];
        for (home, watched) in [(&homes[0], &shop), (&homes[1], &bank)] {
            let installed = install(home, watched);
            assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        }
        let refused = install(&homes[2], &shop);
        let says = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success(), "two controllers would look after {shop}");
        assert!(says.contains("sluice-controller") && says.contains("cannot be imported"), "{says}");
    });
}
