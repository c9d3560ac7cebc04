//! The binary as people and pipelines call it.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn fairway(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairway"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn review(arguments: &[&str], manifest: &str) -> (i32, Value) {
    let output = fairway(&[&["review", "--format", "json"], arguments, &["-"]].concat(), &[], manifest);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

const RISKY: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, \
    namespace: shop}\nspec:\n  containers:\n  - {name: web, image: 'nginx:latest', \
    securityContext: {privileged: true}}\n";

const SAFE: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, \
    namespace: shop}\nspec:\n  securityContext: {runAsNonRoot: true, \
    seccompProfile: {type: RuntimeDefault}}\n  containers:\n  - name: web\n    image: \
    harbor.example.com/shop/web:1\n    securityContext: {allowPrivilegeEscalation: false, \
    capabilities: {drop: [ALL]}}\n";

#[test]
fn a_review_that_denies_exits_with_1_and_says_what_is_wrong_where() {
    let (code, report) = review(&[], RISKY);
    assert_eq!((code, &report["verdict"]), (1, &Value::from("deny")));
    let findings = report["findings"].as_array().unwrap();
    let privileged = findings.iter().find(|finding| finding["rule"] == "pss/privileged").unwrap();
    assert_eq!(privileged["object"], "Pod/shop/web");
    assert_eq!(privileged["severity"], "deny");
    for part in ["path", "message", "fix"] {
        assert!(privileged[part].as_str().is_some_and(|text| !text.is_empty()), "{privileged}");
    }
}

#[test]
fn a_review_that_only_warns_or_passes_exits_with_0() {
    let (code, report) = review(&["--only", "pss"], SAFE);
    assert_eq!((code, &report["verdict"], report["findings"].as_array().unwrap().len()), (0, &Value::from("pass"), 0));
}

#[test]
fn input_that_cannot_be_read_and_wrong_usage_exit_with_2() {
    assert_eq!(review(&[], "kind: [").0, 2);
    assert_eq!(fairway(&["review", "/nowhere.yaml"], &[], "").status.code(), Some(2));
    assert_eq!(fairway(&["review"], &[], "").status.code(), Some(2));
    assert_eq!(fairway(&["review", "--format", "xml", "-"], &[], "").status.code(), Some(2));
}

#[test]
fn wrong_settings_are_all_named_by_config_check_and_by_serve() {
    let wrong = [("FAIRWAY_LISTEN", "here"), ("OIDC_ISSUER_URL", "http://idp.example.com")];
    for arguments in [&["config", "check"][..], &["serve"]] {
        let output = fairway(arguments, &wrong, "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for setting in ["FAIRWAY_LISTEN", "OIDC_ISSUER_URL", "DATABASE_URL"] {
            assert!(said.contains(setting), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn what_does_not_answer_is_named_by_the_live_check_with_its_part() {
    let away = [
        ("DATABASE_URL", "postgres://127.0.0.1:1/none"),
        ("OIDC_ISSUER_URL", "http://127.0.0.1:1"),
        ("KUBECONFIG", "/nowhere"),
    ];
    let output = fairway(&["config", "check", "--live"], &away, "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["- database: ", "- cluster: ", "- identity provider: unavailable: "] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn right_settings_pass() {
    let right = [("DATABASE_URL", "postgres://x"), ("OIDC_ISSUER_URL", "https://idp.example.com")];
    assert_eq!(fairway(&["config", "check"], &right, "").status.code(), Some(0));
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let away = [
        ("DATABASE_URL", "postgres://fairway:canary@127.0.0.1:1/fairway"),
        ("OIDC_ISSUER_URL", "https://idp.example.com"),
    ];
    let output = fairway(&["serve"], &away, "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the database cannot be reached") && !said.contains("canary"), "{said}");
}

#[test]
fn connections_are_listed_as_text_and_as_json() {
    let pods = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
        spec: {containers: []}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop}, \
        spec: {template: {metadata: {labels: {app: api}}, spec: {containers: []}}}}\n---\n{apiVersion: \
        networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: api, namespace: shop}, spec: {podSelector: {}, \
        policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, \
        {port: 443}]}]}}\n";
    let output = fairway(&["connections", "-"], &[], pods);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line == "default/web[Pod] => shop/api[Deployment] : TCP 80,443"), "{text}");
    let output = fairway(&["connections", "--format", "json", "-"], &[], pods);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = serde_json::json!({ "from": "default/web[Pod]", "to": "shop/api[Deployment]", "ports": "TCP 80,443" });
    assert!(json.as_array().unwrap().contains(&wanted), "{json}");
    assert_eq!(fairway(&["connections", "/nowhere"], &[], "").status.code(), Some(2));
}

#[test]
fn policies_are_proposed_with_what_speaks_for_each_opening() {
    let pod = |name: &str, container: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, labels: {{app: {name}}}}}, spec: {{containers: \
             [{{name: a, image: a, {container}}}]}}}}\n"
        )
    };
    let service = "---\n{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {selector: {app: db}, ports: [{port: \
        80, targetPort: 5432}]}}\n";
    let given = [&pod("web", "env: [{name: DB, value: 'db:80'}]"), &pod("db", "ports: []"), service].concat();
    let output = fairway(&["propose-policies", "-"], &[], &given);
    assert_eq!(output.status.code(), Some(0));
    let policies = text(&output);
    assert!(policies.contains("# From Pod web on 5432: DB of Pod web names db:80.\n"), "{policies}");
    // Nothing is left to propose for what was proposed for, and nothing names a namespace that the manifests do not.
    let again = fairway(&["propose-policies", "-"], &[], &format!("{given}---\n{policies}"));
    assert_eq!(text(&again).trim(), "");
    assert!(!policies.contains("namespace:"), "{policies}");
    assert_eq!(fairway(&["propose-policies", "/nowhere"], &[], "").status.code(), Some(2));
}

#[test]
fn connections_that_depend_on_unknown_labels_are_said_to() {
    let policy = "{apiVersion: v1, kind: Pod, metadata: {name: web}, \
        spec: {containers: []}}\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, \
        spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}]}]}}";
    let said = String::from_utf8(fairway(&["connections", "-"], &[], policy).stderr).unwrap();
    assert!(said.contains("labels that are not known of default"), "{said}");
}

#[test]
fn what_a_change_opens_and_closes_is_listed() {
    let folder = Folder::new("effect");
    let pods = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
        spec: {containers: []}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: api, labels: {app: api}}, \
        spec: {containers: []}}\n---\n";
    let policy = |port: u16| {
        format!(
            "{pods}{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: api}}, \
             spec: {{podSelector: {{matchLabels: {{app: api}}}}, ingress: [{{from: [{{podSelector: {{}}}}], \
             ports: [{{port: {port}}}]}}]}}}}"
        )
    };
    let (before, after) = (folder.write("before.yaml", &policy(80)), folder.write("after.yaml", &policy(81)));
    let output = fairway(&["connections", "--compared-with", &before, &after], &[], "");
    let lines = ["+ default/web[Pod] => default/api[Pod] : TCP 81", "- default/web[Pod] => default/api[Pod] : TCP 80"];
    assert_eq!(text(&output).trim().lines().collect::<Vec<_>>(), lines);
}

/// A folder that is gone when the test is over.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fairway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("nested")).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn findings_name_file_and_line_in_text_and_in_sarif() {
    let folder = Folder::new("places");
    let file = folder.write("nested/web.yaml", RISKY);
    folder.write("notes.txt", "not a manifest");
    let output = fairway(&["review", &folder.path("")], &[], "");
    let said = text(&output);
    assert!(
        said.contains(&format!("{file}:6: deny [pss/privileged] spec.containers[0].securityContext.privileged")),
        "{said}"
    );
    assert!(said.contains("Pod/shop/web, selected by no NetworkPolicy"), "{said}");
    assert!(!said.contains('\u{1b}'), "colours where no terminal is: {said}");
    let output = fairway(&["review", "--format", "sarif", &folder.path("")], &[], "");
    let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let privileged = results.iter().find(|result| result["ruleId"] == "pss/privileged").unwrap();
    assert_eq!(privileged["level"], "error");
    assert_eq!(privileged["locations"][0]["physicalLocation"]["region"]["startLine"], 6);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(results.iter().all(|result| rules.iter().any(|rule| rule["id"] == result["ruleId"])));
    assert!(rules.iter().all(|rule| rule["shortDescription"]["text"].is_string()));
}

#[test]
fn fix_writes_what_can_be_fixed_and_reports_what_is_left() {
    let folder = Folder::new("fix");
    folder.write("web.yaml", &format!("# The shop.\n{RISKY}"));
    folder.write("fine.yaml", "# untouched\n{apiVersion: v1, kind: Service, metadata: {name: a},    spec: {}}\n");
    let output = fairway(&["review", "--fix", &folder.path("")], &[], "");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "the tag is left: {said}");
    assert!(said.contains("fixed.") && said.contains("image/forbidden-tag") && !said.contains("pss/"), "{said}");
    let written = folder.read("web.yaml");
    assert!(written.starts_with("# The shop.\n") && written.contains("privileged: false"), "{written}");
    assert!(folder.read("fine.yaml").contains("},    spec"));
}

#[test]
fn what_is_left_after_a_fix_is_named_on_the_lines_of_the_new_text() {
    let folder = Folder::new("lines");
    let two = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: \
        nginx:1\n  - name: b\n    image: nginx:latest\n";
    let file = folder.write("web.yaml", two);
    let said = text(&fairway(&["review", "--fix", &file], &[], ""));
    let written = folder.read("web.yaml");
    let line = written.lines().position(|line| line.contains("nginx:latest")).unwrap() + 1;
    assert!(line > 9 && said.contains(&format!("{file}:{line}: deny [image/forbidden-tag]")), "{said}\n{written}");
}

#[test]
fn links_in_a_folder_are_not_followed() {
    let (folder, outside) = (Folder::new("links"), Folder::new("outside"));
    let target = outside.write("web.yaml", RISKY);
    folder.write("web.yaml", SAFE);
    std::os::unix::fs::symlink(".", folder.path("self")).unwrap();
    std::os::unix::fs::symlink(&target, folder.path("link.yaml")).unwrap();
    let output = fairway(&["review", "--fix", &folder.path("")], &[], "");
    assert!(!text(&output).contains("nested/"), "{}", text(&output));
    assert_eq!(outside.read("web.yaml"), RISKY);
}

#[test]
fn text_of_manifests_cannot_command_the_terminal_or_the_pipeline() {
    let name = r#"a\n::error::spoofed\e[2J"#;
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: \"{name}\", \
         image: 'a:latest'}}]}}\n"
    );
    let said = text(&fairway(&["review", "-"], &[], &pod));
    assert!(said.contains("spoofed") && !said.contains("\n::error") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn everything_that_cannot_be_read_is_named_and_nothing_to_read_is_no_pass() {
    let folder = Folder::new("unread");
    let output = fairway(&["review", &folder.path("")], &[], "");
    assert_eq!(output.status.code(), Some(2));
    folder.write("kustomization.yaml", "resources: []\n");
    folder.write("a.yaml", "kind: [\n");
    folder.write("b.yaml", "kind: Pod\n");
    let output = fairway(&["review", &folder.path("")], &[], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2)
            && said.contains("a.yaml:")
            && said.contains("b.yaml:")
            && !said.contains("kustomization"),
        "{said}"
    );
}

#[test]
fn one_file_that_cannot_be_read_does_not_silence_the_others() {
    let folder = Folder::new("some-unread");
    folder.write("chart.yaml", "metadata:\n  name: {{ .Values.name }}\n");
    folder.write("web.yaml", RISKY);
    folder.write("config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let output = fairway(&["review", &folder.path("")], &[], "");
    let (said, wrong) = (text(&output), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("pss/privileged") && said.contains("Not checked: 1 ConfigMap."), "{said}");
    assert!(wrong.contains("chart.yaml: a template that was not rendered"), "{wrong}");
    let output = fairway(&["connections", &folder.path("")], &[], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("shop/web[Pod]"), "{}", text(&output));
}

#[test]
fn fix_of_standard_input_goes_to_standard_output_and_the_report_to_standard_error() {
    let output = fairway(&["review", "--fix", "-"], &[], RISKY);
    let written = text(&output);
    assert_eq!(review(&["--only", "pss"], &written), (0, serde_json::json!({ "verdict": "pass", "findings": [] })));
    assert!(String::from_utf8(output.stderr).unwrap().contains("fixed."));
}

#[test]
fn what_cannot_be_changed_in_place_is_left_as_it_is() {
    let folder = Folder::new("anchors");
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - &c {name: c, \
        image: 'harbor.example.com/a:1'}\n  initContainers: [*c]\n";
    let file = folder.write("web.yaml", text);
    let output = fairway(&["review", "--fix", &file], &[], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("{file}: it has an anchor (&) that other places refer to")), "{said}");
    assert_eq!(folder.read("web.yaml"), text);
    // And leaves the others fixed.
    folder.write("other.yaml", RISKY);
    assert_eq!(fairway(&["review", "--fix", &folder.path("")], &[], "").status.code(), Some(2));
    assert_eq!(folder.read("web.yaml"), text);
    assert!(folder.read("other.yaml").contains("privileged: false"));
}

#[test]
fn what_the_cluster_has_already_is_known_and_not_reviewed() {
    let folder = Folder::new("cluster");
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/../review/testdata/policies");
    let policy = folder.write(
        "policy.yaml",
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, \
        metadata: {name: all, namespace: shop}, spec: {podSelector: {}, ingress: [{}]}}",
    );
    let (_, report) = review(&["--cluster", policies], RISKY);
    assert!(report.to_string().contains("policy/elastisys-require-networkpolicy"), "{report}");
    let (_, report) = review(&["--cluster", policies, "--cluster", &policy], RISKY);
    assert!(!report.to_string().contains("policy/elastisys-require-networkpolicy"), "{report}");
    assert!(!report.to_string().contains("netpol/allows-all"), "{report}");
    assert_eq!(report["selected_by"], serde_json::json!([{ "object": "Pod/shop/web", "policies": ["all"] }]));
}

#[test]
fn the_settings_file_says_what_a_rule_counts_as() {
    let folder = Folder::new("levels");
    let with = |levels: &str| {
        let file = folder.write("platform.toml", &format!("[review.levels]\n{levels}\n"));
        let output = fairway(&["review", "--config", &file, "--format", "json", "-"], &[], RISKY);
        (output.status.code(), text(&output), String::from_utf8(output.stderr).unwrap())
    };
    let (_, report, _) = with("\"netpol/not-selected\" = \"off\"");
    assert!(!report.contains("netpol/not-selected") && report.contains("image/forbidden-tag"));
    let (code, _, said) = with("\"netpol/not-there\" = \"off\"");
    assert!(code == Some(2) && said.contains("netpol/not-there"), "{said}");
}

#[test]
fn an_older_version_of_the_standards_can_be_asked_for() {
    let probe = SAFE.replace(
        "    securityContext: {allow",
        "    livenessProbe: {tcpSocket: {host: 10.0.0.1, port: 1}}\n    securityContext: {allow",
    );
    assert_eq!(review(&["--only", "pss"], &probe).0, 1);
    assert_eq!(review(&["--only", "pss", "--pod-security-version", "v1.33"], &probe).0, 0);
    assert_eq!(fairway(&["review", "--pod-security-version", "1.24", "-"], &[], "").status.code(), Some(2));
}

#[test]
fn input_that_is_too_large_is_refused_without_being_read_to_its_end() {
    let output = fairway(&["review", "-"], &[], &"# ö\n".repeat(3 * 1024 * 1024));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("larger than 8 MiB"), "{said}");
}
