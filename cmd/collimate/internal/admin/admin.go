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
//	POST /v1/studies/act    {"study":"1.2.3","act":"hold"} -> {"result":{}}
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

const (
	pathDefine  = "/v1/source/define"
	pathStudies = "/v1/studies"
	pathGroups  = "/v1/groups"
	pathAct     = "/v1/studies/act"

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
	// DefineGroup puts a record of kind group on the ledger.
	DefineGroup(ctx context.Context, owner keys.Owner) (ledger.StudyID, error)
	// Act does something with a published study.
	Act(ctx context.Context, studyInstanceUID string, act Act) error
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
