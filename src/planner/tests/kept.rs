//! Prepared queries: a plan that is kept answers as one that is made anew. (What is run once in these tests is run as kept
//! too: `run_with`.)

use super::*;

fn collected(rows: PlanResult<Rows>) -> Result<Vec<String>, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches: Result<Vec<_>, Report> = runtime.block_on(async { rows.map_err(|e| e.report())?.try_collect().await });
    lines(&batches?)
}

fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// One kept plan with one value after another, each beside a plan of its own.
fn with_each(text: &str, values: &[Vec<ScalarValue>]) -> Vec<Result<Vec<String>, String>> {
    let context = filled();
    let types: Vec<_> = values[0].iter().map(|value| Some(SqlType::of_arrow(&value.data_type()))).collect();
    let bound = bound_with(text, &context, &types).unwrap();
    let kept = Kept::new(&bound, &values[0], &context).unwrap().expect(text);
    let answers = values.iter().map(|values| {
        assert!(kept.fits(values, &context), "{text}");
        let fresh = collected(now(execute(&bound, values.clone(), &context)));
        let again = collected(now(execute_kept(&kept, values.clone(), &context)));
        assert_eq!(again, fresh, "{text} with {values:?}");
        again.map_err(|report| report.message)
    });
    answers.collect()
}

fn int(value: impl Into<Option<i32>>) -> ScalarValue {
    ScalarValue::Int32(value.into())
}

fn big(value: impl Into<Option<i64>>) -> ScalarValue {
    ScalarValue::Int64(value.into())
}

#[test]
fn each_run_has_its_own_values() {
    let names = |values: &[&str]| Ok(values.iter().map(ToString::to_string).collect::<Vec<_>>());
    let by = |text: &str| with_each(text, &[vec![int(10)], vec![int(20)], vec![int(11)], vec![int(None)]]);
    let found = [names(&["ann"]), names(&["bob"]), names(&[]), names(&[])];
    assert_eq!(by("SELECT name FROM customers WHERE id = $1"), found, "a value of a narrower type than the key");
    assert_eq!(by("SELECT c.name FROM customers c WHERE $1 = c.id AND c.name <> 'eve'"), found);
    assert_eq!(by("SELECT name FROM (SELECT * FROM customers WHERE id < 1000) c WHERE id = $1 * 1"), found);
    assert_eq!(by("SELECT name FROM customers WHERE $1 IS NULL OR id = $1")[3], names(&["ann", "bob", "eve"]));
    assert_eq!(by("SELECT $1 + id FROM customers WHERE id = 10")[..2], [names(&["20"]), names(&["30"])]);
    assert_eq!(by("SELECT count(*) FROM customers WHERE id >= $1")[..2], [names(&["3"]), names(&["2"])]);
    let limited = with_each("SELECT name FROM customers ORDER BY id LIMIT $1", &[vec![big(1)], vec![big(2)]]);
    assert_eq!(limited, [names(&["ann"]), names(&["ann", "bob"])]);
    let listed = with_each("SELECT name FROM customers WHERE id IN ($1, $2)", &[vec![big(10), big(30)], vec![big(20), big(None)]]);
    assert_eq!(listed, [names(&["ann", "eve"]), names(&["bob"])]);
}

#[test]
fn what_a_filter_refuses_is_not_computed() {
    let found = with_each("SELECT a FROM n WHERE 10 / b > $1 AND b <> 0", &[vec![int(1)], vec![int(100)]]);
    assert_eq!(found, [Ok(vec!["2".to_string()]), Ok(vec![])]);
    let found = with_each("SELECT a FROM n WHERE a = 1 AND 10 / $1 > a", &[vec![int(2)], vec![int(0)]]);
    assert_eq!(found, [Ok(vec!["1".to_string()]), Err("division by zero".to_string())]);
}

#[test]
fn what_is_of_one_moment_is_not_kept() {
    let context = filled();
    let kept = |text: &str| Kept::new(&bound_with(text, &context, &[]).unwrap(), &[], &context).unwrap();
    for text in [
        "SELECT now()",
        "SELECT pg_backend_pid()",
        "SELECT current_setting('search_path') FROM orders",
        "SELECT count(*) FROM pg_class",
        "SELECT id FROM orders WHERE id IN (SELECT oid FROM pg_class)",
        "SELECT random()",
    ] {
        assert!(kept(text).is_none(), "{text}");
    }
    let plan = kept("SELECT upper(name) FROM customers WHERE id = 10").expect("nothing of the moment");
    assert!(plan.fits(&[], &context) && !plan.fits(&[int(1)], &context));
    assert!(!plan.fits(&[], &filled()), "another catalog");
    let mut other = context.clone();
    other.system.settings = Arc::default();
    assert!(!plan.fits(&[], &other), "other variables");
}
