package gateway

import (
	"context"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"collimate/atna"
	"collimate/ledger"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/xdsi"
	"collimate/xua"
)

// audit writes what a source released and refused, each refusal with its reason, before the first byte leaves.
//
// Anybody can make a key and ask for what does not exist, as often as they like. So a request of which nothing was
// found is recorded in short, and not more often than rate allows: the trail must not fill the disk.
func (s *Source) audit(ctx context.Context, caller xua.Caller, verdicts []verdict) error {
	verdicts = s.worthRecording(verdicts)
	r := s.exchange(caller, PathRepository)
	for _, v := range verdicts {
		r.Documents = append(r.Documents, audited(v.request, v.refusal, string(v.reason)))
	}
	return record(ctx, s.config.Audit, atna.RetrieveExport(r))
}

// auditImages is audit for RAD-69.
func (s *Source) auditImages(ctx context.Context, caller xua.Caller, requests []xdsi.ImagingRequest, verdicts []verdict) error {
	verdicts = s.worthRecording(verdicts)
	for len(verdicts) > 0 { // a record has a size, a study any number of instances
		r := s.exchange(caller, PathImaging)
		n := min(len(verdicts), maxAuditedInstances)
		for i, v := range verdicts[:n] {
			d := audited(v.request, v.refusal, string(v.reason))
			d.StudyInstanceUID, d.SeriesInstanceUID = requests[i].StudyInstanceUID, requests[i].SeriesInstanceUID
			r.Documents = append(r.Documents, d)
		}
		if err := record(ctx, s.config.Audit, atna.InstancesTransferred(r)); err != nil {
			return err
		}
		requests, verdicts = requests[n:], verdicts[n:]
	}
	return nil
}

// worthRecording returns the verdicts that go into the audit trail.
func (s *Source) worthRecording(verdicts []verdict) []verdict {
	if slices.ContainsFunc(verdicts, verdict.tells) {
		return verdicts
	}
	if !s.strangers.allow(s.config.Now()) {
		return nil
	}
	return verdicts[:min(len(verdicts), maxAuditedRefusals)]
}

// exchange describes the two ends of a retrieve.
func (s *Source) exchange(caller xua.Caller, path string) atna.Retrieve {
	return atna.Retrieve{
		Time:       s.config.Now(),
		Origin:     s.origin(),
		Repository: local(s.config.URL + path),
		Consumer:   recipient(caller),
		Requestors: requestors(caller),
	}
}

func (s *Source) origin() atna.Origin { return atna.Origin{SourceID: s.id.Alias()} }

// audit writes what the local consumer was given, one exchange for each far source.
func (c *Consumer) audit(ctx context.Context, caller xua.Caller, groups []*group) error {
	for _, g := range groups {
		r := atna.Retrieve{
			Time:       c.config.Now(),
			Origin:     atna.Origin{SourceID: c.id.Alias()},
			Repository: remote(g.source.Endpoints.ITI43),
			Consumer:   atna.Node{UserID: c.id.String(), ProcessID: strconv.Itoa(os.Getpid()), Address: caller.Address},
			Requestors: requestors(caller),
		}
		for _, asked := range g.requests {
			r.Documents = append(r.Documents, audited(asked, g.refusal(asked), ""))
		}
		if err := record(ctx, c.config.Audit, atna.RetrieveImport(r)); err != nil {
			return err
		}
	}
	return nil
}

// requestors lists who asks: the key, and the person whom an assertion names. ITI TF-2: 3.40.4.2
func requestors(caller xua.Caller) []atna.Requestor {
	name := strings.ToValidUTF8(caller.Name[:min(len(caller.Name), maxCallerName)], "")
	all := []atna.Requestor{{UserID: caller.Key.String(), UserName: name, Tier: caller.Tier.String()}}
	if p := caller.Person; !p.IsZero() {
		all = append(all, atna.Requestor{UserID: p.NameID, UserName: p.UserName()})
	}
	return all
}

// refusal returns why a source has not given a document that it was asked for, nil if it has.
func (g *group) refusal(asked xds.DocumentRequest) *xds.Error {
	if g.err != nil {
		return unavailable(asked, g.err)
	}
	if slices.ContainsFunc(g.response.Documents, func(d xds.Document) bool { return d.DocumentRequest == asked }) {
		return nil
	}
	for _, e := range g.response.Errors {
		if e.Location == asked.DocumentUniqueID && e.Severity != xds.SeverityWarning {
			return e
		}
	}
	return unavailable(asked, nil)
}

// audited describes one document. reason is what only this side knows; without one the error speaks.
func audited(asked xds.DocumentRequest, refusal *xds.Error, reason string) atna.Document {
	d := atna.Document{
		HomeCommunityID:    asked.HomeCommunityID,
		RepositoryUniqueID: asked.RepositoryUniqueID,
		DocumentUniqueID:   asked.DocumentUniqueID,
	}
	switch {
	case refusal == nil:
		return d
	case refusal.Code == xds.RepositoryError || refusal.Code == xds.RepositoryBusy:
		d.Outcome = atna.SeriousFailure
	default:
		d.Outcome = atna.MinorFailure
	}
	if d.Reason = reason; reason == "" {
		d.Reason = refusal.Error()
	}
	return d
}

// record writes all messages or stops at the first that cannot be written.
func record(ctx context.Context, to atna.Recorder, messages []atna.Message) error {
	for _, m := range messages {
		if err := to.Record(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// recipient is where an answer goes. ITI TF-2: 3.43.6.1.2
func recipient(caller xua.Caller) atna.Node {
	if caller.ReplyTo != "" {
		return remote(caller.ReplyTo)
	}
	return atna.Node{UserID: caller.Key.String(), Address: caller.Address}
}

// local and remote describe the two ends of an exchange.
func local(endpoint string) atna.Node {
	n := remote(endpoint)
	n.ProcessID = strconv.Itoa(os.Getpid())
	return n
}

func remote(endpoint string) atna.Node {
	n := atna.Node{UserID: endpoint}
	if u, err := url.Parse(endpoint); err == nil {
		n.Address = u.Hostname()
	}
	return n
}

// host returns the host of host:port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// tells reports whether a verdict is about something that is there: a document that was released, or one that the
// requester was let in to at some time.
func (v verdict) tells() bool {
	switch v.reason {
	case reasonUnknownRepository, reasonUnknownDocument, reasonUnpublished, ledger.ReasonNoGrant, ledger.ReasonStale:
		return false
	}
	return true
}

// recordFailure writes to the audit trail that the sender of a request could not be authenticated, unless there have
// been too many of late.
func (s *Source) recordFailure(ctx context.Context, path string, r *soap.Request, why error) {
	now := s.config.Now()
	if !s.failures.allow(now) {
		return
	}
	who := atna.Requestor{}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		name := r.TLS.PeerCertificates[0].Subject.String()
		who.UserName = strings.ToValidUTF8(name[:min(len(name), maxCallerName)], "")
	}
	m := atna.AuthenticationFailure(now, s.origin(), local(s.config.URL+path), host(r.RemoteAddr), who, why.Error())
	if err := s.config.Audit.Record(ctx, m); err != nil {
		s.config.Logger.Error("writing the audit trail", "error", err) // the request is refused either way
	}
}

// rate allows maxAuditedFailures in each second: each is a write to the disk that anybody can cause.
type rate struct {
	mu     sync.Mutex
	second int64
	count  int
}

func (f *rate) allow(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if second := now.Unix(); second != f.second {
		f.second, f.count = second, 0
	}
	f.count++
	return f.count <= maxAuditedFailures
}
