from weightspace.announce.estimate import Estimate, Group
from weightspace.announce.words import Failure, plan_text, summary_text, where_to_look
from weightspace.config.cells import main_experiment

GROUPS = [
    Group("fit_shard", "mnist", 1200, 8),
    Group("train_cell", "a", 1, 1),
    Group("train_cell", "b", 1, 1),
    Group("schemes_results", "", 1, 1),
]


def test_the_plan_says_what_is_done_and_how_long_it_takes():
    guess = Estimate({"fits": 7300.0, "training": 124.0, "report": 4.0}, measured=0.0)
    lines = plan_text("mine", GROUPS, 7, guess, at_once="2 cores").splitlines()
    assert lines[0] == "Study mine: 1,203 jobs to run, 7 to reuse"
    assert [line.split() for line in lines[1:4]] == [
        ["fits", "1,200", "jobs,", "about", "2.0", "h"],
        ["training", "2", "jobs,", "about", "2", "min"],
        ["report", "1", "job,", "about", "5", "s"],
    ]
    assert lines[4].startswith("About 2.1 h on 2 cores (from rates measured on another machine")


def test_the_plan_says_when_it_knows_from_earlier_runs():
    guess = Estimate({"fits": 60.0, "training": 60.0, "report": 60.0}, measured=0.9)
    text = plan_text("mine", GROUPS, 0, guess, at_once="4 cores")
    assert "none to reuse" in text
    assert text.splitlines()[-1] == "About 3 min on 4 cores (from earlier runs of this study)"


def test_the_plan_says_what_its_estimate_leaves_out():
    groups = [Group("download", "", 1, 1), Group("fit_shard", "mnist", 2, 8, gpus=1)]
    guess = Estimate({"data": 4.0, "fits": 60.0}, measured=0.9, gpus=True)
    text = plan_text("mine", groups, 0, guess, at_once="4 cores")
    assert text.endswith("(from earlier runs of this study; GPUs and downloads are not in it)")


def test_a_plan_of_no_jobs_has_no_estimate():
    text = plan_text("mine", [], 12, Estimate({}, 0.0), at_once="2 cores")
    assert text == "Study mine: 0 jobs to run, 12 to reuse"


def test_the_summary_of_a_good_run_is_one_line():
    text = summary_text("mine", ran=3, kept=2, left=0, seconds=3700.0, failures=[])
    assert text == "Study mine: done after 1 h 02 min: 3 jobs ran, 2 reused"


def test_the_summary_lists_failures_with_their_logs():
    failures = [Failure(f"job {i}", f"logs/{i}.log") for i in range(12)]
    text = summary_text("mine", ran=1, kept=2, left=5, seconds=61.0, failures=failures)
    lines = text.splitlines()
    assert lines[0] == (
        "Study mine: stopped after 1 min 01 s: 1 job ran, 2 reused, 12 failed, 5 not reached"
    )
    assert lines[1] == "  job 0: see logs/0.log"
    assert lines[11] == "  and 2 more"
    assert "mend the cause and run the same command again" in lines[12]
    interrupted = summary_text("mine", ran=1, kept=0, left=5, seconds=61.0, failures=[])
    assert interrupted.endswith("What is finished is kept: run the command again.")


def test_where_to_look_names_what_is_there(tmp_path):
    assert where_to_look(tmp_path, ["views"]) == f"  results  {tmp_path}/"
    (tmp_path / "tables").mkdir()
    for name in ("report.html", "tables/schemes.md", "tables/views.md"):
        (tmp_path / name).touch()
    text = where_to_look(tmp_path, ["views", "schemes"])
    assert [line.split()[0] for line in text.splitlines()] == ["report", "table"]
    assert str(tmp_path / "tables" / "schemes.md") in text


def test_a_study_of_any_experiment_has_a_main_one():
    assert main_experiment(["overfitting", "views", "schemes"]) == "schemes"
    assert main_experiment(["contrastive"]) == "contrastive"
