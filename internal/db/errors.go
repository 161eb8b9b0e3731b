package db

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// ErrNotFound is returned by Row.Scan when the query has no row.
var ErrNotFound = errors.New("no such row")

// ErrNewer is returned by Open for a database that a newer thingd has migrated.
var ErrNewer = errors.New("the database was written by a newer version of thingd")

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("the database is closed")

// ErrText refuses a string that TEXT cannot hold on both databases: one with a
// NUL character or with bytes that are not UTF-8.
var ErrText = errors.New("text holds a NUL character or is not UTF-8")

// IsUnique says whether err comes from a row whose key exists already.
func IsUnique(err error) bool {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return sqlState(err) == "23505"
}

// IsForeignKey says whether err comes from a reference to a row that does not
// exist, or from deleting a row that is referred to.
func IsForeignKey(err error) bool {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		// ON DELETE RESTRICT reports itself as a trigger.
		return e.Code() == lib.SQLITE_CONSTRAINT_FOREIGNKEY || e.Code() == lib.SQLITE_CONSTRAINT_TRIGGER
	}
	return sqlState(err) == "23503"
}

// InDoubt says whether err leaves open whether the transaction took place: the
// connection was lost while it was committed.
func InDoubt(err error) bool { return errors.Is(err, errInDoubt) }

var errInDoubt = errors.New("the connection was lost while committing")

// isLost says whether err comes from the connection or its end, not from the
// transaction: class 08 and the shutdowns of 57P.
func isLost(err error) bool {
	s := sqlState(err)
	return s == "" || strings.HasPrefix(s, "08") || strings.HasPrefix(s, "57P")
}

// isConflict says whether a transaction failed only because of another one and
// is to be run again: serialization_failure or deadlock_detected.
func isConflict(err error) bool {
	s := sqlState(err)
	return s == "40001" || s == "40P01"
}

// isBusy says whether SQLite found the file locked by another connection.
func isBusy(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == lib.SQLITE_BUSY
}

func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// newer is ErrNewer with what an operator needs to know.
func newer(has, knows int) error {
	return fmt.Errorf("%w (it is at migration %d, this binary knows %d): install that version again or restore a backup", ErrNewer, has, knows)
}
