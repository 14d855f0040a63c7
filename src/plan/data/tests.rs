//! Tests of reading data files and of giving out their rows.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A plan of rows that hold their position in the file.
fn plan(rows: usize, order: RowOrder, seed: u64) -> Rc<DataPlan> {
    let mut table = DataTable::with_columns(["id".to_owned()]);
    for row in 0..rows {
        table.push(0, &row.to_string(), CellKind::Untyped).unwrap();
        table.end_row();
    }
    Rc::new(DataPlan::of(&table, |_| true, order, seed).unwrap())
}

/// The position in the file of a measured arrival's row.
fn measured(plan: &Rc<DataPlan>, index: u64) -> usize {
    DataRow::of_measured(plan, index).cell(0).text.parse().unwrap()
}

/// The position in the file of a warm-up arrival's row.
fn warmup(plan: &Rc<DataPlan>, index: u64) -> usize {
    DataRow::of_warmup(plan, index).cell(0).text.parse().unwrap()
}

/// Every value, with its type by its first letter.
fn read(format: DataFormat, text: &[u8]) -> Result<Vec<Vec<String>>, Vec<String>> {
    let shown = |DataMistake { line, problem, .. }| match line {
        Some(line) => format!("{line}: {problem}"),
        None => problem,
    };
    let rows = format.read(text).map_err(|all| all.into_iter().map(shown).collect::<Vec<_>>())?;
    let columns = rows.table.names().count();
    let cell = |row, at| {
        let DataCell { text, kind } = rows.table.cell(row, at);
        match kind {
            CellKind::Untyped => text.to_owned(),
            CellKind::String => format!("s:{text}"),
            CellKind::Literal => format!("l:{text}"),
            CellKind::Null => "null".to_owned(),
        }
    };
    Ok((0..rows.table.rows()).map(|row| (0..columns).map(|at| cell(row, at)).collect()).collect())
}

fn csv(text: &str) -> Result<Vec<Vec<String>>, Vec<String>> {
    read(DataFormat::Csv, text.as_bytes())
}

fn json(text: &str) -> Result<Vec<Vec<String>>, Vec<String>> {
    read(DataFormat::JsonLines, text.as_bytes())
}

#[test]
fn csv_is_read_as_spreadsheets_and_databases_write_it() {
    let expected =
        Ok(vec![vec!["1".to_owned(), "a".to_owned()], vec!["2".to_owned(), "b".to_owned()]]);
    for text in [
        "id,name\n1,a\n2,b\n",
        "id,name\r\n1,a\r\n2,b",
        "\u{feff}id,name\n1,a\n2,b\n",
        "\n\nid , name\n\n1,a\n\r\n2,b\n\n",
        "\"id\",\"name\"\n\"1\",\"a\"\n\"2\",\"b\"\n",
    ] {
        assert_eq!(csv(text), expected, "{text:?}");
    }
    let quoted = csv("id,text\n1,\"a, \"\"b\"\"\nc\"\n2,\n");
    assert_eq!(quoted.unwrap(), [["1", "a, \"b\"\nc"], ["2", ""]]);
}

#[test]
fn a_mistake_in_csv_is_reported_with_its_line() {
    for (text, expected) in [
        ("", &["the file is empty"][..]),
        (" \r\n\n", &["the file is empty"]),
        ("id,name\n", &["the file has no rows"]),
        (
            "id,name\n1\n2,b,c\n",
            &[
                "2: the row has 1 value, and the header 2",
                "3: the row has 3 values, and the header 2",
            ],
        ),
        ("id,name\n\n\n1\n", &["4: the row has 1 value, and the header 2"]),
        ("id,text\n1,\"a\nb\"\n2\n", &["4: the row has 1 value, and the header 2"]),
        ("id,id\n1,2\n", &["1: two columns are named `id`"]),
        ("id,,b\n1,2,3\n", &["1: column 2 has no name in the header line"]),
        ("id;name\n1;a\n", &["1: the header line has no comma"]),
        ("id,name\n1,a\n\n2,\"b\n3,c\n", &["4: a quote is not closed"]),
        ("a\n\"b", &["2: a quote is not closed"]),
    ] {
        let mistakes = csv(text).unwrap_err();
        assert_eq!(mistakes, expected, "{text:?}");
    }
    assert_eq!(
        read(DataFormat::Csv, b"a,b\n1,2\n3,\xff\n").unwrap_err(),
        ["3: the row is not UTF-8"]
    );
    assert_eq!(read(DataFormat::Csv, b"\xff\xfea\0").unwrap_err(), ["the file is UTF-16"]);
}

#[test]
fn closed_quotes_at_the_end_are_no_mistake() {
    for text in
        ["a\n\"\"", "a\n\"x\"\n", "a\n\"x \"\"y\"\"\"", "a,b\n5\" disk,\"\"\n", "a,b\n1,2\"\n"]
    {
        assert!(csv(text).is_ok(), "{text:?}: {:?}", csv(text));
    }
}

#[test]
fn json_lines_keep_the_types_and_the_digits_of_values() {
    let text =
        "{\"id\":12345678901234567890.10,\"t\":\"a\\u00e9\\n\"}\r\n\n  {\"t\": null, \"id\": true}";
    assert_eq!(json(text).unwrap(), [["l:12345678901234567890.10", "s:aé\n"], ["l:true", "null"]]);
}

#[test]
fn a_mistake_in_json_lines_is_reported_with_its_line() {
    for (text, expected) in [
        ("\n", &["the file is empty"][..]),
        (
            "{\"a\":1}\n[1]\n7\n\"secret\"\n",
            &[
                "2: the line is a list, not an object",
                "3: the line is not an object",
                "4: the line is not an object",
            ],
        ),
        ("{\"a\":1}\n{\"a\":}\n", &["2: the line is not JSON from column 6 on"]),
        ("{\"a\":1} {\"a\":2}\n", &["1: the line is not JSON from column 9 on"]),
        (
            "{\"a\":1,\"b\":2}\n{\"a\":1}\n{\"a\":1,\"b\":2,\"c\":3}\n",
            &["2: `b` is missing", "3: the first object has no `c`"],
        ),
        ("{\"a\":1,\"a\":2}\n", &["1: the object has a key twice"]),
        ("{\"a\":[1]}\n{\"a\":{\"b\":1}}\n", &["1: `a` is a list", "2: `a` is an object"]),
        ("{}\n", &["1: the object has no key, or one that no name can have"]),
    ] {
        assert_eq!(json(text).unwrap_err(), expected, "{text:?}");
    }
}

#[test]
fn a_long_list_of_mistakes_is_cut() {
    assert_eq!(csv(&format!("a,b\n{}", "1\n".repeat(1_000))).unwrap_err().len(), 5);
    assert_eq!(json(&"7\n".repeat(1_000)).unwrap_err().len(), 5);
}

#[test]
fn the_format_of_a_file_follows_from_its_name() {
    assert_eq!(DataFormat::of_name("a/b.CSV"), Ok(DataFormat::Csv));
    assert_eq!(DataFormat::of_name("x.ndjson"), Ok(DataFormat::JsonLines));
    assert_eq!(DataFormat::of_name("x.jsnl"), Err("did you mean `.jsonl`?".to_owned()));
    assert!(DataFormat::of_name("rows.json").unwrap_err().contains("jq"));
    assert!(DataFormat::of_name("rows").is_err());
}

#[test]
fn rows_are_given_out_in_the_order_of_the_file_and_again_from_the_start() {
    let plan = plan(3, RowOrder::Sequential, 0);
    assert_eq!((0..7).map(|at| measured(&plan, at)).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0]);
    assert_eq!((0..4).map(|at| warmup(&plan, at)).collect::<Vec<_>>(), [2, 1, 0, 2]);
}

#[test]
fn each_pass_over_shuffled_rows_has_its_own_order() {
    let plan = plan(100, RowOrder::Shuffle, 7);
    let pass = |pass: u64| (0..100).map(|at| measured(&plan, pass * 100 + at)).collect::<Vec<_>>();
    assert_ne!(pass(0), pass(1));
    assert_ne!(pass(0), (0..100).collect::<Vec<_>>());
}

#[test]
fn every_row_is_checked_with_its_position_in_the_file() {
    for order in [RowOrder::Sequential, RowOrder::Shuffle] {
        let plan = plan(100, order, 7);
        for (position, row) in plan.all_rows() {
            assert_eq!(row.cell(0).text, position.to_string());
        }
    }
}

#[test]
fn the_values_of_a_row_are_secret_unless_their_column_is_public() {
    let mut rows = DataFormat::Csv.read(b"user,region,note\nann,ord,\n").unwrap();
    assert!(rows.table.publish("region") && !rows.table.publish("regoin"));
    let store = RowStore::of(&rows.table, |_| true, |row| row).unwrap();
    assert_eq!(store.secrets(0).collect::<Vec<_>>(), ["ann"]);
    assert!(!format!("{:?} {store:?}", rows.table).contains("ann"));
}

#[test]
fn the_values_of_columns_that_nothing_uses_are_dropped() {
    let rows = DataFormat::Csv.read(b"note,user,n\nlong,ann,1\nlonger,bob,2\n").unwrap();
    let store = RowStore::of(&rows.table, |column| column > 0, |row| row).unwrap();
    let row = |row| [0, 1, 2].map(|column| store.cell(row, column).text);
    assert_eq!((row(0), row(1)), (["", "ann", "1"], ["", "bob", "2"]));
    assert_eq!(store.secrets(1).collect::<Vec<_>>(), ["bob", "2"]);
}

fn order() -> impl Strategy<Value = RowOrder> {
    proptest::sample::select(vec![RowOrder::Sequential, RowOrder::Shuffle, RowOrder::Once])
}

proptest! {
    #[test]
    fn all_shards_together_use_every_row_exactly_once_a_pass(
        rows in 1_usize..300,
        passes in 1_u64..4,
        of in 1_u64..=1_000,
        seed: u64,
        order in order(),
    ) {
        let plan = plan(rows, order, seed);
        let mut used: BTreeMap<usize, u64> = BTreeMap::new();
        for shard in 0..of {
            for index in (shard..rows as u64 * passes).step_by(usize::try_from(of).unwrap()) {
                *used.entry(measured(&plan, index)).or_default() += 1;
            }
        }
        prop_assert_eq!(used.len(), rows);
        prop_assert!(used.values().all(|times| *times == passes));
    }

    #[test]
    fn the_warm_up_does_not_take_the_rows_of_a_run_that_uses_each_once(
        arrivals in 1_u64..200,
        warmups in 0_u64..50,
    ) {
        let rows = usize::try_from(arrivals + warmups).unwrap();
        let plan = plan(rows, RowOrder::Once, 0);
        let all = (0..arrivals).map(|at| measured(&plan, at));
        let mut all: Vec<usize> = all.chain((0..warmups).map(|at| warmup(&plan, at))).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = DataFormat::Csv.read(&bytes);
        let _ = DataFormat::JsonLines.read(&bytes);
    }

    #[test]
    fn csv_that_was_written_is_read_back(
        rows in proptest::collection::vec(proptest::collection::vec("[a-c,\"\r\n é]{0,6}", 2), 1..20),
    ) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let written = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        prop_assert_eq!(csv(&written).unwrap(), rows);
    }
}
