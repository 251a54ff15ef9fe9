// Package admin is the door by which the operator's commands reach the running server of an organisation: the
// server alone may open the archive and the catalog, so that 'collimate study publish' asks it to.
//
// At its start the server draws a token and writes it with its URL to DATA/admin.json, mode 0600: whoever can
// read that file may use the door. It is plain HTTP on loopback. Requests are JSON; an answer is a stream of
// JSON lines, each an Event: progress as often as there is some, and at the end one result or one error.
//
//	POST /v1/source/define                              -> {"result":{"source":...}}
//	POST /v1/studies        {"from":"/a/folder"}        -> {"progress":{...}}... {"result":[ticket, ...]}
//	POST /v1/groups         {"owner":"93ab..."}         -> {"result":"77e1..."}
//	POST /v1/studies/named  {"studies":["1.2.3", ...]}  -> the same, of studies that the archive has
//	POST /v1/studies/act    {"study":"1.2.3","act":"hold"} -> {"result":{}}
//	POST /v1/studies/ticket {"study":"1.2.3"}           -> {"result":{"ticket":{...},"institution":...}}
//	POST /v1/studies/backfill {"from":"2026-01-01",...} -> {"progress":{...}}... {"result":{"wanted":...}}
//	POST /v1/studies/list   {"since":"2026-11-14T..."}  -> {"result":[{"study":"1.2.3","number":...}, ...]}
//	POST /v1/watcher        {}                          -> {"result":{"looked":...}}
//
// Where a study is named, its ticket number (package ticket) does as well as its Study Instance UID.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

const (
	pathDefine   = "/v1/source/define"
	pathStudies  = "/v1/studies"
	pathNamed    = "/v1/studies/named"
	pathGroups   = "/v1/groups"
	pathAct      = "/v1/studies/act"
	pathTicket   = "/v1/studies/ticket"
	pathBackFill = "/v1/studies/backfill"
	pathList     = "/v1/studies/list"
	pathWatcher  = "/v1/watcher"

	// File is the name of the file in the data directory that says where the door is.
	File = "admin.json"
)

// Event is one line of an answer.
type Event struct {
	Progress *Progress       `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// Progress is how far long work has come.
type Progress struct {
	Step  string `json:"step"` // what is being done, for a person
	Done  int    `json:"done"`
	Of    int    `json:"of"`
	Bytes int64  `json:"bytes,omitempty"`
	// Refused is a file that was not taken, and why. It is for the one who named the folder, and not for a log: a
	// file's name may hold a patient's.
	Refused string `json:"refused,omitempty"`
}

// Source is the outcome of defining the source.
type Source struct {
	Source             keys.Source `json:"source"`
	RepositoryUniqueID string      `json:"repository_unique_id"`
	ITI43              string      `json:"iti43"`
	Openings           string      `json:"openings"`
}

// Operations is what the server does for the operator. progress may be called at any rate.
type Operations interface {
	// DefineSource puts the source on the ledger, or brings its entry up to date.
	DefineSource(ctx context.Context) (*Source, error)
	// PublishFolder takes the DICOM files below a folder into the archive and publishes their studies.
	PublishFolder(ctx context.Context, folder string, progress func(Progress)) ([]*gateway.Ticket, error)
	// PublishStudies publishes studies that the archive has, by Study Instance UID.
	PublishStudies(ctx context.Context, studyInstanceUIDs []string) ([]*gateway.Ticket, error)
	// Ticket returns the claim ticket of a published study.
	Ticket(ctx context.Context, study string) (*Ticket, error)
	// Published lists the studies that were published since then, in the order in which they were.
	Published(ctx context.Context, since time.Time) ([]Published, error)
	// BackFill publishes studies that the archive has from before.
	BackFill(ctx context.Context, r BackFillRequest, progress func(Progress)) (*BackFilled, error)
	// Watcher says what the watcher has done.
	Watcher(ctx context.Context) (*Watcher, error)
	// DefineGroup puts a record of kind group on the ledger.
	DefineGroup(ctx context.Context, owner keys.Owner) (ledger.StudyID, error)
	// Act does something with a published study.
	Act(ctx context.Context, study string, act Act) error
}

// Ticket is a claim ticket with what may be printed beside it.
type Ticket struct {
	Ticket          *gateway.Ticket `json:"ticket"`
	Institution     string          `json:"institution"`
	AccessionNumber string          `json:"accession_number"`
	Date            string          `json:"date"` // of the study, YYYY-MM-DD
}

// Published is a study that is published.
type Published struct {
	Study   string    `json:"study"`  // Study Instance UID
	Number  string    `json:"number"` // of its ticket
	At      time.Time `json:"at"`
	Claimed bool      `json:"claimed"` // as far as the source has seen
}

// MaxPublished bounds what Published lists.
const MaxPublished = 100_000

// BackFillRequest says which studies are to be published, and how fast.
type BackFillRequest struct {
	From   string `json:"from,omitempty"` // YYYY-MM-DD, included; empty for no bound
	To     string `json:"to,omitempty"`   // likewise
	Rate   int    `json:"rate,omitempty"` // studies a minute; 0 for no bound
	DryRun bool   `json:"dry_run,omitempty"`
}

// BackFilled is what came of a back-fill.
type BackFilled struct {
	Listed    int      `json:"listed"`    // studies of these dates
	Published int      `json:"published"` // of these: before
	Erased    int      `json:"erased"`    // left alone
	Fresh     int      `json:"fresh"`     // left to the watcher
	Wanted    int      `json:"wanted"`    // to be published
	Done      int      `json:"done"`      // that are
	Failed    int      `json:"failed"`
	Troubles  []string `json:"troubles,omitempty"` // the first of those that failed, and why
}

// Watcher is what the watcher has done since the server was started.
type Watcher struct {
	Watching  bool      `json:"watching"`
	Looked    time.Time `json:"looked,omitzero"` // when it last came to the end of a look
	Error     string    `json:"error,omitempty"` // of the last look
	Waiting   int       `json:"waiting"`         // studies that are not stable yet, or could not be published
	Missing   int       `json:"missing"`         // published studies that the archive has not
	Rejected  int       `json:"rejected"`        // published studies that are held because all of them is rejected (IOCM)
	Published int       `json:"published"`
	Amended   int       `json:"amended"`
	Held      int       `json:"held"`
	Withdrawn int       `json:"withdrawn"`
	Troubles  []string  `json:"troubles,omitempty"` // studies that could not be dealt with, and why
}

// Act is what can be done with a published study.
type Act string

// The acts.
const (
	ActAmend    Act = "amend"    // say on the ledger that instances came or changed
	ActHold     Act = "hold"     // keep it from everybody
	ActRelease  Act = "release"  // end that
	ActWithdraw Act = "withdraw" // take it back for good
	ActErase    Act = "erase"    // so, and delete its salt
)

// endpoint is the content of File.
type endpoint struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// String is a line for a terminal.
func (p Progress) String() string {
	if p.Refused != "" {
		return "not archived: " + p.Refused
	}
	s := fmt.Sprintf("%s %d of %d", p.Step, p.Done, p.Of)
	if p.Bytes > 0 {
		s += fmt.Sprintf(", %.1f MB", float64(p.Bytes)/1e6)
	}
	return s
}

// WriteTicket writes a claim ticket to a file in dir that is named after the study. A ticket that is there
// already is replaced only by one that says at least as much: a claim key is never lost to a repetition.
func WriteTicket(dir string, t *gateway.Ticket) (file string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	file = filepath.Join(dir, "ticket-"+t.StudyID.String()[:12]+".json")
	if was, err := os.ReadFile(file); err == nil && len(t.ClaimKey) == 0 {
		if _, err := gateway.ParseTicket(was); err == nil {
			return file, nil
		}
	}
	raw, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return "", err
	}
	return file, replaceFile(file, append(raw, '\n'))
}

// replaceFile puts a file of mode 0600 into place in one step, on disk when it returns.
func replaceFile(file string, content []byte) error {
	temp := file + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
