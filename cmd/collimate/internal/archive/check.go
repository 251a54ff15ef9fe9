package archive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"collimate/cmd/collimate/internal/config"
	"collimate/pacs"
	"collimate/pacs/remote"
)

const (
	// listedDays is how far back Check lists: over a weekend.
	listedDays = 4
	// maxListed is how many studies Check counts.
	maxListed = 100
)

// Step is one thing that Check has tried.
type Step struct {
	What   string
	Found  string // what came of it
	Err    error  // or what went wrong, and
	Advice string // what to do about that
}

// Check tries the archive of a configuration as a gateway will use it, and tells each step. A Study Instance UID, if it is not
// empty, is read whole. It returns an error if a step went wrong; what comes after that is not tried.
func Check(ctx context.Context, c *config.Config, studyInstanceUID string, tell func(Step)) error {
	a, err := OpenAlone(c, studyInstanceUID != "")
	if err != nil {
		return err
	}
	defer a.Close()
	steps := []struct {
		what string
		try  func(context.Context) (string, error)
	}{
		{"connect (C-ECHO)", a.tryEcho},
		{"list studies", a.tryList},
		{"read a study", func(ctx context.Context) (string, error) { return a.tryRead(ctx, studyInstanceUID) }},
	}
	for i, s := range steps {
		if i == 0 && a.echo == nil || i == 2 && studyInstanceUID == "" {
			continue
		}
		found, err := s.try(ctx)
		step := Step{What: s.what, Found: found, Err: err}
		if err != nil {
			step.Advice = advice(err, c)
		}
		tell(step)
		if err != nil {
			return verdict(err)
		}
	}
	return nil
}

// verdict says what an error of a step says of the archive.
func verdict(err error) error {
	if errors.Is(err, pacs.ErrNotFound) {
		return errors.New("the archive can be used, and has no such study")
	}
	return errors.New("the archive cannot be used as it is configured")
}

func (a *Archive) tryEcho(ctx context.Context) (string, error) {
	return "the PACS answers, and knows us", a.echo(ctx)
}

func (a *Archive) tryList(ctx context.Context) (string, error) {
	n := 0
	for _, err := range a.Studies(ctx, time.Now().AddDate(0, 0, -listedDays)) {
		if err != nil {
			return "", err
		}
		if n++; n == maxListed {
			return fmt.Sprintf("%d studies or more of the last %d days", n, listedDays), nil
		}
	}
	return fmt.Sprintf("%d studies of the last %d days", n, listedDays), nil
}

func (a *Archive) tryRead(ctx context.Context, studyInstanceUID string) (string, error) {
	begun := time.Now()
	study, err := a.Study(ctx, studyInstanceUID)
	if err != nil {
		return "", err
	}
	n, size := 0, int64(0)
	for _, series := range study.Series {
		for _, i := range series.Instances {
			got, err := a.readInstance(ctx, i)
			if err != nil {
				return "", err
			}
			n, size = n+1, size+got
		}
	}
	return fmt.Sprintf("%d instances, %.1f MB, in %s", n, float64(size)/1e6, time.Since(begun).Round(time.Millisecond)), nil
}

func (a *Archive) readInstance(ctx context.Context, i pacs.Instance) (int64, error) {
	r, err := a.Open(ctx, i)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	return n, errors.Join(err, r.Close())
}

// advice says what to do about an error of a PACS.
func advice(err error, c *config.Config) string {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		notTLS    tls.RecordHeaderError
		timeout   net.Error
		web       = c.Archive.Kind == config.KindDICOMweb
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the PACS running, and is the port in " + whereKey(web) + " the right one?"
	case errors.As(err, &dns):
		return "this machine does not know that name: check the host in " + whereKey(web)
	case errors.As(err, &authority):
		return "the certificate of the PACS is of an authority that is not known here: name that in archive.ca"
	case errors.As(err, &name):
		return "the certificate of the PACS is for another name: write that name in " + whereKey(web)
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS there: write http:// in archive.url, if the PACS is on this machine"
	case errors.As(err, &notTLS):
		return "it does not speak TLS there: say archive.tls: no"
	case errors.Is(err, pacs.ErrNotFound):
		return "check the Study Instance UID, and whether the archive has taken the study in"
	case errors.Is(err, remote.ErrRefused) && web:
		return "the PACS does not let us in: check archive.user and its password file, or the token, and what that user may do"
	case errors.Is(err, remote.ErrRefused):
		return fmt.Sprintf("the PACS does not let us in: enter the AE title %s there, with this machine's address, and allow it to find and to %s",
			c.Archive.OurAETitle, strings.ToUpper(c.Archive.Retrieve))
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer came in time: is a firewall between this machine and the PACS?"
	}
	if web {
		return "is archive.url the root of its DICOMweb services? Orthanc's ends in /dicom-web, dcm4chee's in /rs. If it is, look at the log of the PACS"
	}
	return "look at the log of the PACS"
}

func whereKey(web bool) string {
	if web {
		return "archive.url"
	}
	return "archive.address"
}
