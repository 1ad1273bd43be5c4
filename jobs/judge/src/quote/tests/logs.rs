//! Programs that log their error, and the tails of other logs.

use super::{Origin, hold};

#[test]
fn a_structured_log_shows_the_text_of_its_error() {
    hold(
        Origin::Program,
        "",
        &[
            (
                "{\"level\":\"info\",\"msg\":\"start\"}\n{\"level\":\"error\",\"ts\":1.7,\"caller\":\"db/x.go:1\",\"msg\":\"cannot \
                 connect\",\"error\":\"dial tcp 10.0.0.7:5432: connect: connection refused\",\"stacktrace\":\"main.main\\n\\t/x.go\"}\n\
                 {\"level\":\"info\",\"msg\":\"shutting down\"}\n",
                "cannot connect: dial tcp 10.0.0.7:5432: connect: connection refused",
            ),
            (
                "{\"asctime\":\"2026-03-10\",\"levelname\":\"ERROR\",\"message\":\"step failed\",\"exc_info\":\"Traceback (most recent \
                 call last):\\n  File \\\"a.py\\\", line 1, in f\\nValueError: bad shape\"}\n",
                "step failed: ValueError: bad shape",
            ),
            (
                "{\"level\":50,\"time\":1,\"pid\":1,\"err\":{\"type\":\"Error\",\"message\":\"socket hang up\"},\"msg\":\"request \
                 failed\"}\n",
                "request failed: socket hang up",
            ),
            (
                "{\"severity\":\"CRITICAL\",\"message\":\"bucket is missing\"}\n",
                "bucket is missing",
            ),
            (
                "{\"progress\":3}\n{\"progress\":4}\n",
                "{\"progress\":3} {\"progress\":4}",
            ),
            (
                "time=\"2026-03-10T02:00:00Z\" level=info msg=\"start\"\ntime=\"2026-03-10T02:00:01Z\" level=fatal msg=\"cannot open \
                 \\\"state\\\"\" err=\"permission denied\"\n",
                "cannot open \"state\": permission denied",
            ),
            (
                "ts=2026-03-10T02:00:00Z caller=main.go:3 level=error component=wal msg=compaction err=EIO\n",
                "compaction: EIO",
            ),
            (
                "I0310 02:00:00.000000       1 main.go:10] starting\nE0310 02:00:01.000000       1 main.go:12] cannot list nodes: \
                 Unauthorized\n",
                "cannot list nodes: Unauthorized",
            ),
            (
                "F0310 02:00:01.000000       1 main.go:12] flag is missing\ngoroutine 1 [running]:\nk8s.io/klog.stacks(0x1)\n\t/go/x.go:1 \
                 +0x8a\n",
                "flag is missing",
            ),
        ],
    );
}

#[test]
fn a_log_shows_its_last_error() {
    hold(
        Origin::Program,
        "",
        &[
            (
                "2026-03-10 02:00:03,114 INFO app starting\n2026-03-10 02:00:04,001 ERROR app.db - cannot connect to db:5432\n\
                 2026-03-10 02:00:04,002 INFO app stopping\n",
                "ERROR app.db - cannot connect to db:5432",
            ),
            (
                "[2026-03-10T02:00:03Z] [error] upload failed: 403\n[2026-03-10T02:00:04Z] [info] done\n",
                "[error] upload failed: 403",
            ),
            (
                "INFO:root:start\nCRITICAL:root:disk is full\nDEBUG:root:bye\n",
                "CRITICAL:root:disk is full",
            ),
            (
                "Cloning into '/src'...\nfatal: unable to access 'https://git.example.com/team/docs.git/': Could not resolve host: \
                 git.example.com\n",
                "fatal: unable to access 'https://git.example.com/team/docs.git/': Could not resolve host: git.example.com",
            ),
            (
                "  % Total    % Received % Xferd  Average Speed\n  0     0    0     0    0     0\ncurl: (6) Could not resolve host: \
                 api.example.com\n",
                "curl: (6) Could not resolve host: api.example.com",
            ),
            (
                "waiting for the database\npsql: error: connection to server at \"db\" (10.0.0.7), port 5432 failed: FATAL:  password \
                 authentication failed for user \"app\"\n",
                "psql: error: connection to server at \"db\" (10.0.0.7), port 5432 failed: FATAL: password authentication failed for \
                 user \"app\"",
            ),
            (
                "CREATE TABLE\npsql:/init.sql:9: ERROR:  insert violates foreign key\nDETAIL:  Key (id)=(7) is not present.\n",
                "psql:/init.sql:9: ERROR: insert violates foreign key DETAIL: Key (id)=(7) is not present",
            ),
            (
                "ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.7' (using password: YES)\n",
                "ERROR 1045 (28000): Access \
              denied for user 'app'@'10.0.0.7' (using password: YES)",
            ),
            (
                "+ cd /data\n+ foo --bar\n/app/run.sh: line 3: foo: command not found\n",
                "/app/run.sh: line 3: foo: command not found",
            ),
            (
                "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied\nexit status 254\n",
                "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
            ),
            (
                "│ Error: creating S3 bucket: AccessDenied\n│ \n│   with aws_s3_bucket.x,\n╵\n",
                "Error: creating S3 bucket: AccessDenied with aws_s3_bucket.x",
            ),
            (
                "[ERROR] Failed to execute goal org.x:y:1:run (default) on project z: port in use -> [Help 1]\n[ERROR] \n[ERROR] To see \
                 the full stack trace of the errors, re-run Maven with the -e switch.\n[ERROR] Re-run Maven using the -X switch\n",
                "[ERROR] Failed to execute goal org.x:y:1:run (default) on project z: port in use -> [Help 1]",
            ),
            (
                "02:00:03  Completed with 1 error and 0 warnings:\n02:00:03    Database Error in model orders (models/orders.sql)\n  \
                 relation \"raw.orders\" does not exist\n02:00:03  Done. PASS=1 WARN=0 ERROR=1 SKIP=0 TOTAL=2\n",
                "02:00:03 Database Error in model orders (models/orders.sql) relation \"raw.orders\" does not exist",
            ),
            (
                "\u{1b}[31mERROR\u{1b}[0m migration 7 is locked\n\u{1b}[32mINFO\u{1b}[0m bye\n",
                "ERROR migration 7 is locked",
            ),
            (
                "usage: train [-h] --data DATA\ntrain: error: the following arguments are required: --data\n",
                "train: error: the following arguments are required: --data",
            ),
        ],
    );
}

#[test]
fn long_after_an_error_the_last_line_counts_too() {
    let chatter = "loading the next part\n".repeat(4);
    let log = format!("ERROR cannot read the cache\n{chatter}");
    let ended = format!("{log}the tenant acme is suspended\n");
    let stack = "2026-03-10T02:00:00Z\tERROR\tsetup\tno manager\t{\"error\": \"i/o timeout\"}\nmain.main\n\t/workspace/main.go:98\n\
                 runtime.main\n\t/usr/local/go/src/runtime/proc.go:250\nruntime.goexit\n\t/usr/local/go/src/runtime/asm.s:1\nx.y\n\t/z.go:1\n\
                 a.b\n\t/c.go:1\n";
    hold(
        Origin::Program,
        "",
        &[
            (&log, "ERROR cannot read the cache"),
            (&ended, "ERROR cannot read the cache … the tenant acme is suspended"),
            (stack, "ERROR setup no manager {\"error\": \"i/o timeout\"}"),
        ],
    );
}

#[test]
fn npm_shows_its_error_without_the_path_of_its_log() {
    hold(
        Origin::Program,
        "",
        &[
            (
                "npm ERR! code E404\nnpm ERR! 404 Not Found - GET https://registry.npmjs.org/nosuch - Not found\nnpm ERR! 404\n\nnpm \
                 ERR! A complete log of this run can be found in:\nnpm ERR!     /app/.npm/_logs/2026-debug-0.log\n",
                "npm ERR! code E404 404 Not Found - GET https://registry.npmjs.org/nosuch - Not found 404",
            ),
            (
                "npm error Missing script: \"migrate\"\n",
                "npm ERR! Missing script: \"migrate\"",
            ),
            (
                "Error: connect ECONNREFUSED 10.0.0.7:5432\n    at TCPConnectWrap.afterConnect (node:net:1595:16)\nnpm ERR! code \
                 ELIFECYCLE\nnpm ERR! errno 1\n",
                "Error: connect ECONNREFUSED 10.0.0.7:5432",
            ),
        ],
    );
}

#[test]
fn other_words_are_quoted_from_the_end() {
    let chatter = "downloaded part of the archive\n".repeat(40);
    let long = format!("{chatter}the checksum of part 41 differs\n");
    let fits = ["downloaded part of the archive"; 8].join(" ");
    hold(
        Origin::Program,
        "",
        &[
            (
                "cannot connect to postgres: refused",
                "cannot connect to postgres: refused",
            ),
            ("line one\nline two\n", "line one line two"),
            (&long, &format!("… {fits} the checksum of part 41 differs")),
            (
                "INFO start\nINFO connect\nno such tenant: acme\n",
                "no such tenant: acme",
            ),
            ("2026 INFO start\n2026 INFO done\n", "2026 INFO start 2026 INFO done"),
            ("exit status 1\n", "exit status 1"),
        ],
    );
}
