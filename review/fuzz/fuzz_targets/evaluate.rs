//! Whatever the pods and policies: the evaluator lets through what a plain reading of the API reference lets through.
#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    if let Ok((pods, policies)) = world(&mut bytes) {
        assert_eq!(review::plain::difference(pods, policies.clone()), None, "{policies:#?}");
    }
});

fn world(bytes: &mut Unstructured<'_>) -> Result<(Vec<Value>, Vec<Value>)> {
    Ok((list(bytes, 4, pod)?, list(bytes, 5, policy)?))
}

/// Up to `most` of something.
fn list(
    bytes: &mut Unstructured<'_>, most: usize, one: fn(&mut Unstructured<'_>) -> Result<Value>
) -> Result<Vec<Value>> {
    (0..bytes.int_in_range(0..=most)?).map(|_| one(bytes)).collect()
}

/// A list, an empty one, or none at all, which often mean different things.
fn optional_list(
    bytes: &mut Unstructured<'_>, one: fn(&mut Unstructured<'_>) -> Result<Value>
) -> Result<Option<Value>> {
    if bytes.arbitrary()? { list(bytes, 3, one).map(|list| Some(list.into())) } else { Ok(None) }
}

fn one_of<T: Copy>(bytes: &mut Unstructured<'_>, choices: &[T]) -> Result<T> {
    bytes.choose(choices).copied()
}

fn object(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    fields.collect::<Map<_, _>>().into()
}

fn labels(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let mut value = || one_of(bytes, &[None, Some("0"), Some("1")]).map(|value| value.map(Value::from));
    Ok(object([("a", value()?), ("b", value()?)]))
}

fn expression(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let values = one_of(bytes, &[&["0"][..], &["1"], &["0", "1"]])?;
    let operator = one_of(bytes, &["In", "NotIn", "Exists", "DoesNotExist"])?;
    Ok(json!({ "key": one_of(bytes, &["a", "b"])?, "operator": operator, "values": values }))
}

fn selector(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let labels = if bytes.arbitrary()? { Some(labels(bytes)?) } else { None };
    Ok(object([("matchLabels", labels), ("matchExpressions", optional_list(bytes, expression)?)]))
}

fn pod(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let port = json!({
        "name": "named",
        "containerPort": bytes.int_in_range(1..=5)?,
        "protocol": one_of(bytes, &["TCP", "UDP", "SCTP"])?,
    });
    Ok(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "pod", "namespace": one_of(bytes, &["one", "two"])?, "labels": labels(bytes)? },
        "spec": { "hostNetwork": bytes.ratio(1, 8)?, "containers": [{ "name": "c", "ports": [port] }] },
    }))
}

fn peer(bytes: &mut Unstructured<'_>) -> Result<Value> {
    const CIDRS: &[&str] = &["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32"];
    let namespaces = |bytes: &mut Unstructured<'_>| {
        let name = one_of(bytes, &[None, Some("one"), Some("two")])?;
        Ok(name.map_or(json!({}), |name| json!({ "matchLabels": { "kubernetes.io/metadata.name": name } })))
    };
    match bytes.int_in_range(0..=3)? {
        0 => Ok(json!({ "podSelector": selector(bytes)? })),
        1 => Ok(json!({ "namespaceSelector": namespaces(bytes)? })),
        2 => Ok(json!({ "podSelector": selector(bytes)?, "namespaceSelector": namespaces(bytes)? })),
        _ => {
            let except = list(bytes, 2, |bytes| one_of(bytes, CIDRS).map(Value::from))?;
            Ok(json!({ "ipBlock": { "cidr": one_of(bytes, CIDRS)?, "except": except } }))
        }
    }
}

fn port(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let protocol = one_of(bytes, &[None, Some("TCP"), Some("UDP"), Some("SCTP")])?.map(Value::from);
    let (port, end) = match bytes.int_in_range(0..=3)? {
        0 => (None, None),
        1 => (Some("named".into()), None),
        2 => (Some(bytes.int_in_range(1..=7)?.into()), None),
        _ => {
            let first: u16 = bytes.int_in_range(1..=7)?;
            (Some(first.into()), Some(bytes.int_in_range(first..=u16::MAX)?.into()))
        }
    };
    Ok(object([("protocol", protocol), ("port", port), ("endPort", end)]))
}

fn rule(bytes: &mut Unstructured<'_>, end: &'static str) -> Result<Value> {
    Ok(object([(end, optional_list(bytes, peer)?), ("ports", optional_list(bytes, port)?)]))
}

fn policy(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let types = one_of(bytes, &[None, Some(&["Ingress"][..]), Some(&["Egress"]), Some(&["Ingress", "Egress"])])?;
    let spec = object([
        ("podSelector", Some(selector(bytes)?)),
        ("policyTypes", types.map(|types| json!(types))),
        ("ingress", optional_list(bytes, |bytes| rule(bytes, "from"))?),
        ("egress", optional_list(bytes, |bytes| rule(bytes, "to"))?),
    ]);
    Ok(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "policy", "namespace": one_of(bytes, &["one", "two"])? }, "spec": spec,
    }))
}
