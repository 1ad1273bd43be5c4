//! Programs that end by their language runtime.

use super::{Origin, hold};

#[test]
fn a_traceback_of_python_shows_its_exception() {
    let long = format!(
        "2026-03-10 02:00:03,114 INFO  features starting\nTraceback (most recent call last):\n{}ModuleNotFoundError: No module \
         named 'pandas_does_not_exist'\n",
        "  File \"/usr/local/lib/python3.12/site-packages/features/runner.py\", line 22, in load\n    return load(name)\n           \
         ^^^^^^^^^^\n"
            .repeat(9)
    );
    hold(
        Origin::Program,
        "",
        &[
            (&long, "ModuleNotFoundError: No module named 'pandas_does_not_exist'"),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\n    d[k]\nKeyError: 'region'\n\nDuring handling of \
                 the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 9, in \
                 <module>\n    f()\nRuntimeError: unknown region\n",
                "RuntimeError: unknown region",
            ),
            (
                "    return fn(*args)\n  File \"/app/db.py\", line 8, in connect\n    raise e\nsqlalchemy.exc.OperationalError: \
                 (psycopg2.OperationalError) connection to server at \"db\" (10.0.0.7), port 5432 failed: Connection refused\n\tIs the \
                 server running on that host and accepting TCP/IP connections?\n\n(Background on this error at: \
                 https://sqlalche.me/e/20/e3q8)\n",
                "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server at \"db\" (10.0.0.7), port 5432 \
                 failed: Connection refused Is the server running on that host and accepting TCP/IP connections?",
            ),
            (
                "Traceback (most recent call last):\n  File \"/app/main.py\", line 4, in <module>\n    Settings()\n\
                 pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\ndatabase_url\n  Field required \
                 [type=missing, input_value={}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.8/v/missing\n",
                "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings database_url Field required \
                 [type=missing, input_value={}, input_type=dict]",
            ),
            (
                "  + Exception Group Traceback (most recent call last):\n  |   File \"/app/main.py\", line 12, in <module>\n  |     \
                 asyncio.run(main())\n  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n  +-+---------------- 1 \
                 ----------------\n    | Traceback (most recent call last):\n    |   File \"/app/main.py\", line 5, in fetch\n    |     \
                 raise TimeoutError(\"api.example.com\")\n    | TimeoutError: api.example.com\n    +------------------------------------\n",
                "TimeoutError: api.example.com",
            ),
            (
                "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"/app/train.py\", line 88, in step\n[rank0]:     \
                 loss.backward()\n[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\nTraceback (most \
                 recent call last):\n  File \"/usr/local/bin/torchrun\", line 8, in <module>\n    sys.exit(main())\n\
                 torch.distributed.elastic.multiprocessing.errors.ChildFailedError:\n===================\ntrain.py FAILED\n",
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
            ),
            (
                "  File \"/app/x.py\", line 3\n    foo(\n       ^\nSyntaxError: '(' was never closed\n",
                "SyntaxError: '(' was never closed",
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    run()\nConnectionError: db\n\
                 2026-03-10 02:00:09,001 CRITICAL worker: giving up after 3 attempts\n",
                "ConnectionError: db CRITICAL worker: giving up after 3 attempts",
            ),
            (
                "botocore.exceptions.NoCredentialsError: Unable to locate credentials\n",
                "botocore.exceptions.NoCredentialsError: \
              Unable to locate credentials",
            ),
        ],
    );
}

#[test]
fn a_panic_shows_its_text_without_goroutines() {
    hold(
        Origin::Program,
        "",
        &[
            (
                "2026/03/10 02:00:00 loading\npanic: runtime error: invalid memory address or nil pointer dereference\n[signal \
                 SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45e2a1]\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:8 \
                 +0x1d\nexit status 2\n",
                "panic: runtime error: invalid memory address or nil pointer dereference",
            ),
            (
                "panic: open /etc/app/config.yaml: no such file or directory [recovered]\n\tpanic: loading failed\n\ngoroutine 7 \
                 [running]:\nmain.load(...)\n\t/app/main.go:31\n",
                "panic: open /etc/app/config.yaml: no such file or directory [recovered] panic: loading failed",
            ),
            (
                "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/app/main.go:5 +0x2c\n",
                "fatal error: all goroutines are asleep - deadlock!",
            ),
            (
                "thread 'main' panicked at src/main.rs:12:34:\ncalled `Result::unwrap()` on an `Err` value: Os { code: 2, kind: \
                 NotFound, message: \"No such file or directory\" }\nnote: run with `RUST_BACKTRACE=1` environment variable to display a \
                 backtrace\n",
                "thread 'main' panicked at src/main.rs:12:34: called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: \
                 NotFound, message: \"No such file or directory\" }",
            ),
            (
                "thread 'main' panicked at 'index out of bounds: the len is 0 but the index is 0', src/main.rs:2:5\nnote: run with \
                 `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
                "thread 'main' panicked at 'index out of bounds: the len is 0 but the index is 0', src/main.rs:2:5",
            ),
            (
                "starting\nError: cannot read the configuration\n\nCaused by:\n    0: cannot open /etc/app.toml\n    1: No such file or \
                 directory (os error 2)\n",
                "Error: cannot read the configuration … No such file or directory (os error 2)",
            ),
            (
                "terminate called after throwing an instance of 'std::runtime_error'\n  what():  cannot open shard 7\n",
                "terminate called after throwing an instance of 'std::runtime_error' what(): cannot open shard 7",
            ),
            (
                "** (Mix) Could not start application app: exited in: App.start\n",
                "** (Mix) Could not start application app: exited \
              in: App.start",
            ),
        ],
    );
}

#[test]
fn exceptions_show_their_text_and_last_cause() {
    hold(
        Origin::Program,
        "",
        &[
            (
                "02:00:01.123 [main] INFO  App - starting\nException in thread \"main\" java.lang.IllegalStateException: cannot start\n\
                 \tat com.example.App.run(App.java:31)\n\tat com.example.App.main(App.java:12)\nCaused by: \
                 com.example.DbException: no connection\n\tat com.example.Db.open(Db.java:8)\n\t... 1 more\nCaused by: \
                 java.net.UnknownHostException: db.example.com\n\tat java.base/java.net.InetAddress.get(InetAddress.java:1)\n\t... 2 more\n",
                "Exception in thread \"main\" java.lang.IllegalStateException: cannot start … Caused by: \
                 java.net.UnknownHostException: db.example.com",
            ),
            (
                "2026-03-10 02:00:09 ERROR [main] c.e.Importer - import failed\norg.postgresql.util.PSQLException: Connection to \
                 db:5432 refused.\nCheck that the hostname and port are correct.\n\tat org.postgresql.Driver.connect(Driver.java:1)\n",
                "org.postgresql.util.PSQLException: Connection to db:5432 refused",
            ),
            (
                "\tat com.example.A.b(A.java:9)\n\t... 30 common frames omitted\nCaused by: java.lang.OutOfMemoryError: Java heap \
                 space\n\tat com.example.C.d(C.java:2)\n",
                "Caused by: java.lang.OutOfMemoryError: Java heap space",
            ),
            (
                "node:internal/modules/cjs/loader:1080\n  throw err;\n  ^\n\nError: Cannot find module '/app/index.js'\nRequire \
                 stack:\n- /app/main.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1077:15)\n    at \
                 node:internal/main/run_main_module:28:49 {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n}\n\nNode.js v18.17.0\n",
                "Error: Cannot find module '/app/index.js'",
            ),
            (
                "TypeError: fetch failed\n    at node:internal/deps/undici/undici:12618:11\n    at async main (/app/index.js:3:15) {\n  \
                 [cause]: Error: getaddrinfo ENOTFOUND api.example.com\n      at GetAddrInfoReqWrap.onlookup (node:dns:107:26) {\n    \
                 errno: -3008\n  }\n}\n",
                "TypeError: fetch failed … [cause]: Error: getaddrinfo ENOTFOUND api.example.com",
            ),
            (
                "PrismaClientInitializationError: \nInvalid `prisma.user.findMany()` invocation:\n\n\nCan't reach database server at \
                 `db`:`5432`\n    at $n.handle (/app/node_modules/@prisma/client/runtime/library.js:123:6510)\n",
                "PrismaClientInitializationError: Invalid `prisma.user.findMany()` invocation: Can't reach database server at \
                 `db`:`5432`",
            ),
            (
                "Unhandled exception. System.AggregateException: One or more errors occurred. (Connection refused)\n ---> \
                 System.Net.Sockets.SocketException (111): Connection refused\n   at System.Net.Sockets.Socket.Connect(EndPoint e)\n   \
                 --- End of inner exception stack trace ---\n   at Program.<Main>$(String[] args) in /src/Program.cs:line 3\n",
                "Unhandled exception. System.AggregateException: One or more errors occurred. (Connection refused) ---> \
                 System.Net.Sockets.SocketException (111): Connection refused",
            ),
        ],
    );
}

#[test]
fn errors_of_other_languages_show_their_text() {
    hold(
        Origin::Program,
        "",
        &[
            (
                "/app/import.rb:12:in `open': no such table: users (SQLite3::SQLException)\n\tfrom /app/import.rb:30:in `<main>'\n",
                "/app/import.rb:12:in `open': no such table: users (SQLite3::SQLException)",
            ),
            (
                "#\n# A fatal error has been detected by the Java Runtime Environment:\n#\n#  SIGSEGV (0xb) at pc=0x00007f, pid=1, \
                 tid=7\n#\n# Core dump will be written. Default location: /app/core\n",
                "# A fatal error has been detected by the Java Runtime Environment: # SIGSEGV (0xb) at pc=0x00007f, pid=1, tid=7",
            ),
            (
                "<--- JS stacktrace --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n 1: \
                 0xb09980 node::Abort() [node]\n 2: 0xa1c235 node::FatalError(char const*, char const*) [node]\nAborted (core dumped)\n",
                "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            ),
            (
                "rake aborted!\nPG::ConnectionBad: could not connect to server\n/app/lib/tasks/x.rake:3:in `block in <main>'\n",
                "rake aborted! PG::ConnectionBad: could not connect to server",
            ),
            (
                "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/x.php:3\nStack trace:\n#0 \
                 /app/x.php(3): PDO->__construct()\n#1 {main}\n  thrown in /app/x.php on line 3\n",
                "PHP Fatal error: Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/x.php:3",
            ),
            (
                "\nIn Connection.php line 829:\n                                                  \n  SQLSTATE[HY000] [2002] \
                 Connection refused (Connection: mysql)  \n",
                "In Connection.php line 829: SQLSTATE[HY000] [2002] Connection refused (Connection: mysql)",
            ),
            (
                "FAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':migrate'.\n> Process \
                 'command 'flyway'' finished with non-zero exit value 1\n\n* Try:\n> Run with --stacktrace option\n\nBUILD FAILED in 3s\n",
                "* What went wrong: Execution failed for task ':migrate'. > Process 'command 'flyway'' finished with non-zero exit \
                 value 1",
            ),
        ],
    );
}
