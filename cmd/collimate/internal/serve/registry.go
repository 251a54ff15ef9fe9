package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"collimate/cmd/collimate/internal/config"
	"collimate/gateway/registry"

	"github.com/jackc/pgx/v5/pgconn"
)

// openRegistry opens the registry. Its errors say what to do; none has the password in it.
func openRegistry(ctx context.Context, c *config.Config) (*registry.Store, error) {
	source, err := c.DataSource()
	if err != nil {
		return nil, err
	}
	r, err := registry.Open(ctx, source)
	if err == nil {
		return r, nil
	}
	if advice := databaseAdvice(err); advice != "" {
		return nil, fmt.Errorf("%s: %w", advice, err)
	}
	return nil, err
}

// What SQLSTATE begins with if something is wrong that an operator can mend. PostgreSQL 15: appendix A
const (
	stateAuthorization = "28"
	stateNoDatabase    = "3D"
	statePrivilege     = "42501"
	stateResources     = "53"
)

// databaseAdvice says what to do about an error of PostgreSQL, if that is known.
func databaseAdvice(err error) string {
	var (
		refused *pgconn.PgError
		dns     *net.DNSError
		timeout net.Error
	)
	has := func(state string) bool { return errors.As(err, &refused) && strings.HasPrefix(refused.Code, state) }
	switch {
	case has(stateAuthorization):
		return "PostgreSQL does not let us in: check the user, registry.password_file and pg_hba.conf"
	case has(stateNoDatabase):
		return "PostgreSQL has no such database: make it, with createdb"
	case has(statePrivilege):
		return "PostgreSQL does not let us make tables: make the user the owner of the database, or grant it CREATE on its schema"
	case has(stateResources):
		return "PostgreSQL has no room for us: raise max_connections"
	case errors.As(err, &dns):
		return "this machine does not know the host of PostgreSQL"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "PostgreSQL is not running there: start it, or correct host and port"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "PostgreSQL does not answer in time: is a firewall between this machine and it?"
	}
	return ""
}
