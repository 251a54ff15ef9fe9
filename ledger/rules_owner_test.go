package ledger_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// ownerCommands are the commands of owners, guardians and requesters. A blind is a word, "" if none is named; a group is
// told from a key by "group".
//
//	transfer OWNER STUDY -> OWNER                      [epoch=N]
//	grant OWNER STUDY -> GRANTEE until=T               [epoch=N] [group] [blind=WORD] [scope=N] [tier=N]
//	revoke OWNER STUDY GRANTEE|all                     [epoch=N] [group] [blind=WORD]
//	guardians OWNER STUDY GUARDIAN...                  [epoch=N] [round=N] [agree=N] [delay=N]
//	recover GUARDIAN STUDY -> OWNER                    [since=N] [round=N] [blind=WORD] [attempt=N]
//	cancel-recovery OWNER STUDY                        [epoch=N] [round=N]
//	emergency MEMBER STUDY group=GROUP until=T         [blind=WORD]
//
//	seen STUDY GRANTEE|all                             [epoch=N] [group] [blind=WORD] [of=STUDY]
//	retrieve REQUESTER STUDY                           [source=NAME] [unopened] [blinds=(WORD,...)] [scope=N] [tier=N]
//	                                                   [via=(GROUP[:BLIND[:MEMBERSHIP]],...)] [keys]
//
//	grants STUDY     guardians-of STUDY     recovery STUDY     emergencies STUDY       records
//
// "seen" is a revocation that is not final; "of" is the study whose commitment a revocation for another one names. "retrieve" has an opening with the blind "" unless it says otherwise.
var ownerCommands = map[string]func(*script, *command) string{
	"transfer": func(s *script, c *command) string {
		return s.send(c, ledger.TransferStudy{Study: c.study(), Epoch: s.epoch(c), NewOwner: owner(c.word(2))})
	},
	"grant": func(s *script, c *command) string {
		return s.send(c, ledger.AllowAccess{
			Study: c.study(), Epoch: s.epoch(c), Commitment: c.commitment(c.word(2), c.word(1)), NotAfter: int64(c.time("until")),
			Scope: ledger.Scope(c.count("scope", uint64(ledger.ScopeAll))), Tier: ledger.Tier(c.count("tier", 0)),
		})
	},
	"revoke": func(s *script, c *command) string {
		body := ledger.RevokeAccess{Study: c.study(), Epoch: s.epoch(c), All: c.word(2) == "all"}
		if !body.All {
			body.Commitment = c.commitment(c.word(2), c.word(1))
		}
		return s.send(c, body)
	},
	"guardians": func(s *script, c *command) string {
		body := ledger.SetGuardians{Study: c.study(), Epoch: s.epoch(c), Round: s.round(c)}
		for _, name := range c.words[2:] {
			body.Guardians = append(body.Guardians, guardian(name, c.word(1)))
		}
		body.Threshold = c.count("agree", uint64(len(body.Guardians)))
		if len(body.Guardians) > 0 {
			body.Delay = ledger.DefaultParams().RecoveryTime
		}
		body.Delay = c.count("delay", body.Delay)
		return s.send(c, body)
	},
	"recover": func(s *script, c *command) string {
		study, _ := s.snapshot(c.t).Study(c.study())
		return s.send(c, ledger.Recover{
			Study: c.study(), OwnerSince: c.count("since", or(study).OwnerSince), Round: s.round(c), NewOwner: owner(c.word(2)),
			Blind: named("blind", c.option("blind", "guardian")), Attempt: c.count("attempt", s.attempt(c)),
		})
	},
	"cancel-recovery": func(s *script, c *command) string {
		return s.send(c, ledger.CancelRecovery{Study: c.study(), Epoch: s.epoch(c), Round: s.round(c)})
	},
	"emergency": func(s *script, c *command) string {
		return s.send(c, ledger.EmergencyAccess{
			Study: c.study(), Group: studyOf(c.option("group", "")), Blind: named("blind", c.option("blind", "")),
			Reason: ledger.NewReason(named("blind", "reason"), "unconscious"), NotAfter: int64(c.time("until")),
		})
	},

	"seen": func(s *script, c *command) string {
		study, _ := s.snapshot(c.t).Study(studyOf(c.word(0)))
		seen := seenRevocation{Study: studyOf(c.word(0)), All: c.word(1) == "all"}
		if seen.All {
			seen.Epoch = c.count("epoch", or(study).Epoch)
		} else {
			seen.Commitment = c.commitment(c.word(1), c.option("of", c.word(0)))
		}
		s.seen = append(s.seen, seen)
		return "ok"
	},
	"retrieve": (*script).retrieve,

	"grants":       func(s *script, c *command) string { return show(s.snapshot(c.t).Grants(studyOf(c.word(0)))) },
	"guardians-of": func(s *script, c *command) string { return show(s.snapshot(c.t).Guardians(studyOf(c.word(0)))) },
	"recovery":     func(s *script, c *command) string { return show(s.snapshot(c.t).Recovery(studyOf(c.word(0)))) },
	"emergencies":  func(s *script, c *command) string { return show(s.snapshot(c.t).Emergencies(studyOf(c.word(0)))) },
}

func (s *script) retrieve(c *command) string {
	a := ledger.Access{Scope: ledger.Scope(c.count("scope", uint64(ledger.ScopeImages))), Tier: ledger.Tier(c.count("tier", 0))}
	blinds := c.options("blinds")
	if !c.HasArg("blinds") && !c.HasArg("via") && !c.HasArg("unopened") {
		blinds = []string{""}
	}
	for _, word := range blinds {
		a.Openings = append(a.Openings, ledger.Opening{Blind: named("blind", word)})
	}
	for _, via := range c.options("via") {
		words := append(strings.Split(via, ":"), "", "")
		a.Openings = append(a.Openings, ledger.Opening{
			Blind: named("blind", words[1]), Group: studyOf(words[0]), Membership: named("blind", words[2]),
		})
	}
	return s.decide(c, a)
}

// decide asks for the study of the second word, as the party of the first.
func (s *script) decide(c *command, a ledger.Access) string {
	a.Source = source(c.option("source", "north"))
	a.Study = c.study()
	if c.word(0) != "nobody" {
		a.Requester.ID = idOf(c.word(0))
	}
	a.Now, a.Staleness = s.at.Time.Add(s.drift), 2*time.Minute
	a.Revoked, a.RevokedAll = revokedIn(s.seen)
	got, err := ledger.Decide(s.snapshot(c.t), a)
	if err != nil {
		return err.Error()
	}
	if got.Height != s.at.Height {
		c.t.Errorf("decided at height %d, want %d", got.Height, s.at.Height)
	}
	s.recorded.decide(a, s.seen, got)
	answer := fmt.Sprintf("no: %s", got.Reason)
	if got.Allowed {
		answer = fmt.Sprintf("yes: %s", got.Reason)
	}
	if c.HasArg("keys") {
		for _, key := range got.Keys {
			answer += "\n" + spell(key)
		}
	}
	return answer
}

// spell writes a state key for people.
func spell(key []byte) string {
	text := fmt.Sprintf("%02x", key[0])
	for part := range slices.Chunk(key[1:], 32) {
		name, ok := nameOf(hex.EncodeToString(part))
		if !ok {
			name = "?"
		}
		text += " " + name
	}
	return text
}

// epoch is that of the study, unless the command names another.
func (s *script) epoch(c *command) uint64 {
	study, _ := s.snapshot(c.t).Study(c.study())
	return c.count("epoch", or(study).Epoch)
}

func (s *script) round(c *command) uint64 {
	guardians, _ := s.snapshot(c.t).Guardians(c.study())
	return c.count("round", or(guardians).Round)
}

// attempt is the next one of the guardian who signs.
func (s *script) attempt(c *command) uint64 {
	recovery, _ := s.snapshot(c.t).Recovery(c.study())
	for _, call := range or(recovery).Calls {
		if call.Guardian == guardian(c.word(0), c.word(1)) {
			return call.Attempt + 1
		}
	}
	return 1
}

// study is that of the second word.
func (c *command) study() ledger.StudyID { return studyOf(c.word(1)) }

// commitment is that of a grant of a study.
func (c *command) commitment(to, study string) ledger.Commitment {
	blind := c.option("blind", "")
	var commitment ledger.Commitment
	if c.HasArg("group") {
		commitment = ledger.NewGroupCommitment(named("blind", blind), studyOf(to), studyOf(study))
	} else {
		commitment = ledger.NewCommitment(named("blind", blind), keys.Grantee{ID: idOf(to)}, studyOf(study))
	}
	remember(commitment, strings.TrimSuffix(to+"@"+study+":"+blind, ":"))
	return commitment
}

// guardian is the commitment to a guardian of a study.
func guardian(name, study string) ledger.Commitment {
	commitment := ledger.NewGuardian(named("blind", "guardian"), keys.Guardian{ID: idOf(name)}, studyOf(study))
	remember(commitment, name+"!"+study)
	return commitment
}

// seenRevocation is a revocation that a node has seen and that is not final: of one commitment, or of everything in an
// epoch.
type seenRevocation struct {
	Study      ledger.StudyID    `json:"study"`
	All        bool              `json:"all"`
	Epoch      uint64            `json:"epoch"`      // if All
	Commitment ledger.Commitment `json:"commitment"` // if not All
}
