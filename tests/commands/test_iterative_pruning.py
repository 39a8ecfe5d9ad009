"""``iterative-pruning`` prints a row per round, with n, interval and judge."""


def test_a_row_per_round(home, model_folder, call, call_json):
    arguments = ["iterative-pruning", "--model", model_folder, "--rounds", 1, "--limit", 2, "--max-new-tokens", 2]
    arguments += ["--tau-es", 0.3, "--tau-sas", 1.5]
    found = call_json(*arguments)
    rows, control = found["rows"], found["random"]
    assert [row["round"] for row in rows] == [0, 1]
    assert rows[0]["neurons"] == 0 < rows[1]["neurons"] == rows[1]["added"]
    assert all((row["n"], row["judge"], len(row["interval"])) == (2, "arditi", 2) for row in rows)
    assert (control["neurons"], control["n"], control["judge"]) == (rows[1]["neurons"], 2, "arditi")
    shown = call(*arguments).stdout
    assert "interval" in shown and "Round 0 is the model as it is" in shown
    (line,) = (line for line in shown.splitlines() if line.startswith("RANDOM "))
    assert str(control["neurons"]) in line.split()


def test_where_nothing_is_found_that_is_said(home, model_folder, call):
    arguments = ["--rounds", 2, "--limit", 1, "--max-new-tokens", 1, "--tau-es", 99, "--tau-sas", 99]
    shown = call("iterative-pruning", "--model", model_folder, *arguments).stdout
    assert "Nothing new was found after round 0." in shown


def test_a_wrong_judge_is_refused_at_once(home, model_folder, refusal):
    assert "judge" in refusal("iterative-pruning", "--model", model_folder, "--judge", "nobody")
