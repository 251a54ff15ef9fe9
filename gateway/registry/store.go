package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// ErrNotFound is returned for what is not registered.
var ErrNotFound = errors.New("not registered")

// Store is a registry. Open makes one.
type Store struct {
	engine       *engine
	writes       *sql.DB
	reads        *sql.DB
	waiting      chan *change  // to be written
	turn         chan struct{} // has one if there is someone who writes
	objects, ids int           // maxObjects and maxRefs
	wiping       sync.RWMutex  // held to read; to write, by Remove for as long as it takes erased bytes off the disk
}

// Open opens the registry of a data source name, and makes or completes its tables:
//
//	sqlite:/path/registry.db                          a file, which is made if it is not there, readable by its owner only
//	postgres://user:password@host/database?sslmode=…  see https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig
//
// Errors do not have the name in them: it may have a password.
func Open(ctx context.Context, dsn string) (*Store, error) {
	s := &Store{waiting: make(chan *change, maxWaiting), turn: make(chan struct{}, 1), objects: maxObjects, ids: maxRefs}
	var err error
	if s.engine, s.writes, s.reads, err = open(dsn); err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	if err := s.migrate(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	return s, nil
}

// Close waits for what is running, and closes the database.
func (s *Store) Close() error {
	return errors.Join(s.reads.Close(), s.writes.Close())
}

// read runs f in a transaction that sees one state of the registry.
func (s *Store) read(ctx context.Context, f func(reader) error) error {
	s.wiping.RLock()
	defer s.wiping.RUnlock()
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.engine.snapshot})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(reader{ctx: ctx, tx: tx, engine: s.engine})
}
