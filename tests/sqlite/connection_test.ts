import assert from "node:assert/strict";
import { join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import { openDamaged, SqliteConnection } from "../../src/sqlite/mod.ts";

const MIGRATIONS = [
  `CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, size INTEGER) STRICT;
   CREATE INDEX things_size ON things (size);
   CREATE TABLE log (line TEXT NOT NULL) STRICT;
   CREATE TRIGGER things_logged AFTER INSERT ON things BEGIN
     INSERT INTO log VALUES ('new ' || coalesce(NEW.name, 'one')); END;`,
];

function open(path: string, migrations: readonly string[] = MIGRATIONS): SqliteConnection {
  return SqliteConnection.open(path, { migrations, synchronous: "full" });
}

async function withDirectory(test: (directory: string) => void | Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-sqlite-" });
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("SqliteConnection runs, reads one, all and each", () => {
  using database = open(":memory:");
  assert.equal(database.run("INSERT INTO things VALUES (1, 'a', 10), (2, 'b', 20)"), 2);
  assert.deepEqual({ ...database.get("SELECT * FROM things WHERE id = ?", 2) }, {
    id: 2,
    name: "b",
    size: 20,
  });
  assert.equal(database.get("SELECT * FROM things WHERE id = 3"), undefined);
  assert.equal(database.all("SELECT * FROM log").length, 2);
  const names = [...database.each("SELECT name FROM things ORDER BY name DESC")];
  assert.deepEqual(names.map(({ name }) => name), ["b", "a"]);
});

Deno.test("SqliteConnection takes back what a transaction did that throws", () => {
  using database = open(":memory:");
  const insert = (id: number) => database.run("INSERT INTO things VALUES (?, ?, 1)", id, `n${id}`);
  assert.throws(
    () =>
      database.transaction(() => {
        assert.equal(database.isInTransaction, true);
        insert(1);
        throw new RangeError("on purpose");
      }),
    RangeError,
  );
  assert.equal(database.isInTransaction, false);
  assert.deepEqual(database.all("SELECT * FROM things"), []);
  const result = database.transaction(() => {
    insert(1);
    return database.transaction(() => insert(2));
  });
  assert.equal(result, 1);
  assert.equal(database.all("SELECT * FROM things").length, 2);
});

Deno.test("SqliteConnection waits less for the disk in a lazy transaction, and in no other", async () => {
  await withDirectory((directory) => {
    const path = join(directory, "a.db");
    using database = open(path);
    const level = () => database.get("PRAGMA synchronous")!.synchronous;
    const log = (line: string) => database.run("INSERT INTO log VALUES (?)", line);
    const [full, normal] = [2, 1];
    assert.equal(database.transaction(level), full);
    const during = database.transaction(() => {
      log("a");
      return database.transaction(level, { isLazy: true });
    }, { isLazy: true });
    assert.equal(during, normal);
    assert.equal(level(), full, "what is outside of transactions, too");
    assert.throws(
      () => database.transaction(() => database.transaction(() => log("b")), { isLazy: true }),
      /what must last/,
    );
    assert.equal(level(), full, "after one that failed, too");
    assert.equal(database.transaction(level, { isLazy: false }), full);
    assert.equal(database.transaction(() => database.transaction(level, { isLazy: true })), full);
    using other = open(path);
    assert.deepEqual(other.all("SELECT line FROM log").map(({ line }) => line), ["a"]);
  });
});

Deno.test("SqliteConnection flushes what was lazy: whoever waits at once waits together, and later ones for more", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "a.db");
    using database = open(path);
    const log = (line: string) =>
      database.transaction(() => database.run("INSERT INTO log VALUES (?)", line), {
        isLazy: true,
      });
    log("a");
    const first = database.flush();
    assert.equal(database.flush(), first);
    log("b");
    const second = database.flush();
    assert.notEqual(second, first, "it came too late for the first");
    await Promise.all([first, second]);
    log("c");
    await database.flush();
    await database.flush();
    assert.equal(database.all("SELECT * FROM log").length, 3);
  });
  using database = open(":memory:");
  database.transaction(() => database.run("INSERT INTO log VALUES ('a')"), { isLazy: true });
  await database.flush();
});

Deno.test("SqliteConnection tells that a flush failed, and tries again", async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, "a.db");
    using database = open(path);
    database.transaction(() => database.run("INSERT INTO log VALUES ('a')"), { isLazy: true });
    await Deno.rename(`${path}-wal`, `${path}-away`);
    await Deno.mkdir(`${path}-wal`);
    const isStorage = (error: unknown) =>
      error instanceof SeedmintError && error.code === "storage";
    await assert.rejects(database.flush(), isStorage);
    await assert.rejects(database.flush(), isStorage);
    await Deno.remove(`${path}-wal`);
    await Deno.rename(`${path}-away`, `${path}-wal`);
    await database.flush();
  });
});

Deno.test("SqliteConnection loses the inner transaction with the outer one", () => {
  using database = open(":memory:");
  assert.throws(() =>
    database.transaction(() => {
      database.transaction(() => database.run("INSERT INTO log VALUES ('inner')"));
      throw new Error("outer");
    }), /outer/);
  assert.deepEqual(database.all("SELECT * FROM log"), []);
});

Deno.test("SqliteConnection calls a broken rule of the schema a mistake, and other trouble storage", () => {
  using database = open(":memory:");
  const insert = () => database.run("INSERT INTO things VALUES (1, 'a', 1)");
  insert();
  assert.throws(
    insert,
    (error: Error) =>
      error.name !== "SeedmintError" && /UNIQUE constraint failed: things.id/.test(error.message),
  );
  assert.throws(() => database.all("SELECT * FROM missing"), {
    code: "storage",
    message: /Cannot use the database :memory:: no such table: missing; check/,
  });
});

Deno.test("SqliteConnection says no-space on a full disk and keeps what was committed", () => {
  using database = open(":memory:");
  database.all(
    `PRAGMA max_page_count = ${database.get("PRAGMA page_count")!.page_count as number + 4}`,
  );
  database.run("INSERT INTO log VALUES ('kept')");
  assert.throws(
    () => database.transaction(() => database.run("INSERT INTO log VALUES (?)", "x".repeat(1e6))),
    { code: "no-space", message: /the disk is full; free some space/ },
  );
  assert.deepEqual(database.all("SELECT * FROM log").map(({ line }) => line), ["kept"]);
});

Deno.test("SqliteConnection migrates step by step, once, and refuses what is newer", () =>
  withDirectory((directory) => {
    const path = join(directory, "x.db");
    open(path)[Symbol.dispose]();
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    const more = [...MIGRATIONS, "ALTER TABLE log ADD COLUMN at_ms INTEGER"];
    for (let time = 0; time < 2; time++) {
      using database = open(path, more);
      assert.equal(database.get("PRAGMA user_version")?.user_version, 2);
      assert.equal(database.all("SELECT name FROM pragma_table_info('log')").length, 2);
    }
    assert.throws(() => open(path), { code: "storage", message: /version 2.*knows 1.*newer/ });
  }));

Deno.test("SqliteConnection keeps the old schema when a migration fails", () =>
  withDirectory((directory) => {
    const path = join(directory, "x.db");
    open(path)[Symbol.dispose]();
    const broken = [...MIGRATIONS, "CREATE TABLE half (a); CREATE TABLE half (a);"];
    assert.throws(() => open(path, broken), { code: "storage" });
    using database = open(path);
    assert.equal(database.get("SELECT 1 FROM sqlite_schema WHERE name = 'half'"), undefined);
  }));

Deno.test("SqliteConnection cannot be opened where nothing can be written, and says where", () => {
  assert.throws(() => open("/nowhere/x.db"), {
    code: "storage",
    message: /\/nowhere\/x\.db/,
  });
});

Deno.test("SqliteConnection copies schema, version and rows to a private file", () =>
  withDirectory((directory) => {
    const [from, to] = [join(directory, "from.db"), join(directory, "to.db")];
    using database = open(from);
    database.run("INSERT INTO things VALUES (?, 'most', ?)", 5, BigInt(Number.MAX_SAFE_INTEGER));
    database.run("INSERT INTO things VALUES (1, NULL, NULL)");
    database.copyTo(to);
    database.run("INSERT INTO things VALUES (9, 'later', 0)");
    assert.equal(Deno.statSync(to).mode! & 0o777, 0o600);
    {
      using copy = open(to);
      assert.deepEqual(copy.all("SELECT * FROM things ORDER BY id").map((row) => ({ ...row })), [
        { id: 1, name: null, size: null },
        { id: 5, name: "most", size: Number.MAX_SAFE_INTEGER },
      ]);
      assert.equal(copy.all("SELECT * FROM log").length, 2, "triggers did not run again");
      copy.run("INSERT INTO things VALUES (7, 'new', 1)");
      assert.equal(copy.all("SELECT * FROM log").length, 3, "triggers are there");
      const schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name";
      assert.deepEqual(copy.all(schema), database.all(schema));
    }
    assert.throws(() => database.copyTo(to), { code: "storage", message: /holds something/ });
    using memory = open(":memory:");
    memory.copyTo(join(directory, "memory.db"));
  }));

Deno.test("SqliteConnection tells of trouble in its owner's words, and lets what stops a commit through", () => {
  const told = new SeedmintError("storage", "the owner's words");
  let stops: Error | undefined;
  using database = SqliteConnection.open(":memory:", {
    migrations: MIGRATIONS,
    synchronous: "off",
    explain: () => told,
    beforeCommit: () => {
      if (stops !== undefined) throw stops;
    },
  });
  assert.throws(() => database.all("SELECT * FROM nothing"), told);
  stops = new Error("the disk broke");
  assert.throws(
    () => database.transaction(() => database.run("INSERT INTO log VALUES ('x')")),
    stops,
  );
  stops = undefined;
  assert.deepEqual(database.all("SELECT * FROM log"), []);
});

Deno.test("SqliteConnection goes on when there are more statements than it keeps", () => {
  using database = open(":memory:");
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 600; index++) {
      assert.equal(database.get(`SELECT ${index} AS n`)?.n, index);
    }
  }
});

Deno.test("openDamaged() gives the rows before the damage, and nothing of what is no database", async () =>
  await withDirectory(async (directory) => {
    const path = join(directory, "a.db");
    {
      using database = open(path);
      database.run("INSERT INTO log VALUES ('kept')");
    }
    const damaged = openDamaged(path)!;
    assert.deepEqual(damaged.all("SELECT line FROM log").map(({ line }) => line), ["kept"]);
    assert.deepEqual(damaged.all("SELECT * FROM nothing"), []);
    damaged.close();
    await Deno.writeFile(path, new Uint8Array(8192).fill(7));
    const junk = openDamaged(path);
    assert.deepEqual(junk?.all("SELECT * FROM log") ?? [], []);
    junk?.close();
    assert.equal(openDamaged(join(directory, "missing.db")), undefined);
  }));
