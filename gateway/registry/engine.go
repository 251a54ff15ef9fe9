package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql driver "pgx"
	_ "modernc.org/sqlite"             // database/sql driver "sqlite"
)

// engine is what the two databases do not have in common.
type engine struct {
	// snapshot is the isolation that makes a reader see one state.
	snapshot sql.IsolationLevel
	// lock makes a transaction the one that writes; "" if it is that from its beginning.
	lock string
	// bind puts the parameters of a statement, each a ?, as the database wants them.
	bind func(statement string) string
	// wipe takes what was deleted out of the files.
	wipe func(context.Context, *sql.DB) error
}

// lockKey is any number that other users of a PostgreSQL database do not lock.
const lockKey = "7237113904361825390"

var (
	sqlite   = &engine{bind: func(statement string) string { return statement }, wipe: truncate}
	postgres = &engine{
		snapshot: sql.LevelRepeatableRead, lock: "SELECT pg_advisory_xact_lock(" + lockKey + ")", bind: numbered, wipe: vacuum,
	}
)

// numbered puts $1, $2, ... for each ?. (SQLite would take these too, but as names, which its driver looks up one by one.)
func numbered(statement string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		statement = after
	}
}

// truncate empties the log of SQLite, which has pages as they were. The pages themselves have been overwritten.
func truncate(ctx context.Context, db *sql.DB) error {
	var busy, pages, moved int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("it is deleted, but is still in the log of the database, which queries are reading: repeat it")
	}
	return nil
}

func vacuum(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "VACUUM registry_object")
	return err
}

// open connects to the database of a data source name: one connection writes, others read.
func open(dsn string) (e *engine, writes, reads *sql.DB, err error) {
	driver, name := "pgx", dsn
	switch scheme, rest, _ := strings.Cut(dsn, ":"); scheme {
	case "sqlite":
		e, driver = sqlite, "sqlite"
		if name, err = sqliteName(rest); err != nil {
			return nil, nil, nil, err
		}
	case "postgres", "postgresql":
		e = postgres
	default:
		return nil, nil, nil, errors.New("the data source name is neither sqlite:/path nor postgres://host/database")
	}
	if writes, err = sql.Open(driver, name); err != nil {
		return nil, nil, nil, err
	}
	if reads, err = sql.Open(driver, name); err != nil {
		return nil, nil, nil, err
	}
	writes.SetMaxOpenConns(1)
	reads.SetMaxOpenConns(maxReaders)
	reads.SetMaxIdleConns(maxReaders)
	return e, writes, reads, nil
}

// sqliteName makes a file that is not there, for its owner only, and returns the name that the driver wants: each commit
// is synced, readers and the writer do not wait for each other (WAL), and what is deleted is overwritten.
func sqliteName(path string) (string, error) {
	if path == "" {
		return "", errors.New("the data source name sqlite: has no path")
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)" +
		"&_pragma=synchronous(full)&_pragma=secure_delete(on)&_pragma=cache_size(-16384)", file.Close()
}

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables to the newest version: file 0001 of migrations makes version 1 of none, and so on. All of
// them or none are done.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return s.write(ctx, func(w writer) error {
		if err := w.exec("CREATE TABLE IF NOT EXISTS registry_version (version INTEGER NOT NULL)"); err != nil {
			return err
		}
		var version int
		if err := w.queryRow("SELECT COALESCE(MAX(version), 0) FROM registry_version").Scan(&version); err != nil {
			return err
		}
		if version > len(files) {
			return fmt.Errorf("its tables are of version %d, which is newer than this program: use the newer program", version)
		}
		for ; version < len(files); version++ {
			b, err := migrations.ReadFile(files[version])
			if err != nil {
				return err
			}
			if err := w.exec(string(b)); err != nil {
				return fmt.Errorf("migration to version %d: %w", version+1, err)
			}
			if err := w.exec("INSERT INTO registry_version VALUES (?)", version+1); err != nil {
				return err
			}
		}
		return nil
	})
}
