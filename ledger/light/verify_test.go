package light_test

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/ledger"
	"collimate/ledger/light"
)

// now is the clock of a client that verifies a block of a height when it is new.
func now(height int64) time.Time { return begun.Add(time.Duration(height-1) * hour).Add(time.Minute) }

func wantCode(t *testing.T, err error, want light.Code) {
	t.Helper()
	if got := light.CodeOf(err); got != want {
		t.Errorf("got %v, want code %q", err, want)
	}
}

func TestVerifyBlocks(t *testing.T) {
	four := set(4)
	trusted := genesis(t, four)
	// The first block, the next one, one far ahead, and the same again.
	for _, height := range []int64{1, 2, 40, 40} {
		b := signed(unsigned(height, four, four, named("state")), 4)
		var err error
		if trusted, err = trusted.Verify(b, policy, now(height)); err != nil {
			t.Fatalf("block %d: %v", height, err)
		}
		if trusted.Height != height || trusted.Hash != b.Header.Hash() || trusted.AppHash != light.Hash(named("state")) ||
			!trusted.Time.Equal(time.Unix(0, b.Header.Time)) {
			t.Errorf("block %d: trusted is %+v", height, trusted)
		}
	}
	kept, err := light.TrustBlock(signed(unsigned(40, four, four, named("state")), 4))
	if err != nil || kept.Hash != trusted.Hash {
		t.Errorf("a block that was kept is trusted as %v, %v", kept.Hash, err)
	}
}

// TestValidatorsChange follows a chain whose validators are replaced, adjacent and with gaps.
func TestValidatorsChange(t *testing.T) {
	old := set(4)
	changed := ordered(append(set(5)[:0:0], light.Validator{Key: publicKey("v1"), Power: 10}, light.Validator{Key: publicKey("v2"), Power: 10},
		light.Validator{Key: publicKey("v5"), Power: 10}, light.Validator{Key: publicKey("v6"), Power: 10}))
	others := ordered([]light.Validator{{Key: publicKey("v4"), Power: 10}, {Key: publicKey("v5"), Power: 10}, {Key: publicKey("v6"), Power: 10}, {Key: publicKey("v7"), Power: 10}})
	trusted := genesis(t, old)

	// Half of the trusted power is still there, a quarter is not enough.
	if _, err := trusted.Verify(signed(unsigned(9, changed, changed, named("s")), 7), policy, now(9)); err != nil {
		t.Errorf("half of the trusted validators voted: %v", err)
	}
	_, err := trusted.Verify(signed(unsigned(9, others, others, named("s")), 7), policy, now(9))
	wantCode(t, err, light.CodeNotTrusted)

	// Adjacent, any set will do if the header before names it, and no other.
	first, err := trusted.Verify(signed(unsigned(1, old, others, named("s")), 7), policy, now(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Verify(signed(unsigned(2, others, others, named("s")), 7), policy, now(2)); err != nil {
		t.Errorf("the set that was named: %v", err)
	}
	_, err = first.Verify(signed(unsigned(2, old, others, named("s")), 7), policy, now(2))
	wantCode(t, err, light.CodeWrongValidators)
}

// TestPower meets both thresholds from both sides.
func TestPower(t *testing.T) {
	six, three := set(6), set(3)
	for _, test := range []struct {
		name   string
		set    []light.Validator
		height int64
		votes  int
		want   light.Code
	}{
		{"adjacent, 2/3 exactly", three, 1, 2, light.CodeNotEnoughPower},
		{"adjacent, all", three, 1, 3, ""},
		{"far, 2/3 exactly", six, 5, 4, light.CodeNotEnoughPower},
		{"far, 5 of 6", six, 5, 5, ""},
		{"far, none", six, 5, 0, light.CodeNotTrusted},
		{"far, 1/3 exactly", six, 5, 2, light.CodeNotTrusted},
		{"far, half", six, 5, 3, light.CodeNotEnoughPower},
		{"adjacent, none", six, 1, 0, light.CodeNotEnoughPower},
	} {
		_, err := genesis(t, test.set).Verify(signed(unsigned(test.height, test.set, test.set, named("s")), test.votes), policy, now(test.height))
		if got := light.CodeOf(err); got != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}

	// Power counts, not heads: v1 has 5 of 8, v2 to v4 have 1 each.
	heavy := ordered([]light.Validator{{Key: publicKey("v1"), Power: 5}, {Key: publicKey("v2"), Power: 1}, {Key: publicKey("v3"), Power: 1}, {Key: publicKey("v4"), Power: 1}})
	_, err := genesis(t, heavy).Verify(signed(unsigned(1, heavy, heavy, named("s")), 1), policy, now(1)) // 5 of 8
	wantCode(t, err, light.CodeNotEnoughPower)
	if _, err := genesis(t, heavy).Verify(signed(unsigned(1, heavy, heavy, named("s")), 2), policy, now(1)); err != nil { // 6 of 8
		t.Error(err)
	}
}

func TestTimes(t *testing.T) {
	four := set(4)
	b := signed(unsigned(5, four, four, named("s")), 4)
	at := time.Unix(0, b.Header.Time)
	trusted := genesis(t, four)
	for _, test := range []struct {
		name string
		now  time.Time
		want light.Code
	}{
		{"ahead by less than the drift", at.Add(-policy.ClockDrift + 1), ""},
		{"ahead by the drift", at.Add(-policy.ClockDrift), light.CodeFuture},
		{"last moment of the trusting period", begun.Add(policy.TrustingPeriod - 1), ""},
		{"end of the trusting period", begun.Add(policy.TrustingPeriod), light.CodeExpired},
	} {
		_, err := trusted.Verify(b, policy, test.now)
		if got := light.CodeOf(err); got != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}

	_, err := trusted.Verify(b, light.Policy{}, at)
	wantCode(t, err, light.CodeExpired) // the zero Policy trusts nothing
	_, err = light.Trusted{}.Verify(b, policy, at)
	wantCode(t, err, light.CodeOtherChain) // nor does the zero Trusted

	fifth, err := trusted.Verify(b, policy, now(5))
	if err != nil {
		t.Fatal(err)
	}
	_, err = fifth.Verify(signed(unsigned(4, four, four, named("s")), 4), policy, now(5))
	wantCode(t, err, light.CodeNotNewer)
	_, err = fifth.Verify(signed(unsigned(5, four, four, named("another state")), 4), policy, now(5))
	wantCode(t, err, light.CodeNotNewer)
	late := unsigned(6, four, four, named("s"))
	late.Header.Time = b.Header.Time
	_, err = fifth.Verify(signed(late, 4), policy, now(6))
	wantCode(t, err, light.CodeNotNewer)
	early := unsigned(1, four, four, named("s"))
	early.Header.Time = begun.UnixNano() - 1
	_, err = trusted.Verify(signed(early, 4), policy, now(1))
	wantCode(t, err, light.CodeNotNewer)
}

// attack is a block of height 3 that a client must refuse who trusts a genesis with four validators.
type attack struct {
	name string
	make func() *light.Block
	want light.Code
}

// attacks change one thing each in a block that is accepted. Votes are signed after the change where the attacker has
// the keys, so that no bad signature hides a missing check.
func attacks() []attack {
	four := set(4)
	stranger := light.Validator{Key: publicKey("stranger"), Power: 10}
	return []attack{
		{"another chain", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.ChainID = "collimate-other"
			return signed(b, 4)
		}, light.CodeOtherChain},
		{"no chain", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.ChainID = ""
			return signed(b, 4)
		}, light.CodeOutOfBounds},
		{"chain id of 51 bytes", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.ChainID = strings.Repeat("c", ledger.MaxChainIDBytes+1)
			return signed(b, 4)
		}, light.CodeOutOfBounds},
		{"chain id of 50 bytes", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.ChainID = strings.Repeat("c", ledger.MaxChainIDBytes)
			return signed(b, 4)
		}, light.CodeOtherChain},
		{"height 0", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.Height = 0
			return signed(b, 4)
		}, light.CodeOutOfBounds},
		{"time 0", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.Time = 0
			return signed(b, 4)
		}, light.CodeOutOfBounds},
		{"vote at time 0", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.Votes[0].Time = 0
			return b
		}, light.CodeOutOfBounds},
		{"app hash changed after signing", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Header.AppHash = named("forged")
			return b
		}, light.CodeBadSignature},
		{"votes of another chain with the same validators", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Header.ChainID = "collimate-other"
			b = signed(b, 4)
			b.Header.ChainID = testChain
			return b
		}, light.CodeBadSignature},
		{"votes of another height", func() *light.Block {
			b := signed(unsigned(2, four, four, named("s")), 4)
			b.Header.Height = 3
			return b
		}, light.CodeBadSignature},
		{"votes of another round", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.Round = 1
			return b
		}, light.CodeBadSignature},
		{"votes for other parts", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.PartsTotal = 2
			return b
		}, light.CodeBadSignature},
		{"time of a vote", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.Votes[2].Time++
			return b
		}, light.CodeBadSignature},
		{"prevotes", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			for i := range b.Validators {
				for _, name := range []string{"v1", "v2", "v3", "v4"} {
					if publicKey(name) == b.Validators[i].Key {
						v := b.Commit.Votes[i]
						message := light.VoteBytes(b, v.Time)
						message[2] = 1 // length, tag, type
						v.Signature = [64]byte(ed25519.Sign(keyOf(name), message))
					}
				}
			}
			return b
		}, light.CodeBadSignature},
		{"one validator's vote twice", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.Votes[1] = b.Commit.Votes[0]
			return b
		}, light.CodeBadSignature},
		{"one validator twice", func() *light.Block {
			twice := slices.Clone(four)
			twice[1] = twice[0]
			return signed(unsigned(3, twice, twice, named("s")), 4)
		}, light.CodeOutOfBounds},
		{"two votes absent", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.Votes[0], b.Commit.Votes[3] = nil, nil
			return b
		}, light.CodeNotEnoughPower},
		{"vote cut off", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Commit.Votes = b.Commit.Votes[:3]
			return b
		}, light.CodeOutOfBounds},
		{"votes in another order", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			slices.Reverse(b.Commit.Votes)
			return b
		}, light.CodeBadSignature},
		{"validators that the header does not name", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Validators[0] = stranger
			return b
		}, light.CodeWrongValidators},
		{"more power than the header names", func() *light.Block {
			b := signed(unsigned(3, four, four, named("s")), 4)
			b.Validators[0].Power = 1000
			return b
		}, light.CodeWrongValidators},
		{"strangers", func() *light.Block {
			alone := []light.Validator{stranger}
			b := unsigned(3, alone, alone, named("s"))
			vote(b, 0, keyOf("stranger"))
			return b
		}, light.CodeNotTrusted},
		{"one of us among strangers", func() *light.Block {
			mixed := []light.Validator{stranger, {Key: publicKey("v1"), Power: 10}, {Key: publicKey("v2"), Power: 10}}
			b := unsigned(3, mixed, mixed, named("s"))
			vote(b, 0, keyOf("stranger"))
			vote(b, 1, keyOf("stranger")) // in the place of v1
			vote(b, 2, keyOf("stranger"))
			return b
		}, light.CodeBadSignature},
		{"no validators", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Validators, b.Commit.Votes = []light.Validator{}, []*light.Vote{}
			return b
		}, light.CodeOutOfBounds},
		{"power beyond the bound", func() *light.Block {
			rich := slices.Clone(four)
			rich[0].Power = light.MaxTotalPower
			return signed(unsigned(3, rich, rich, named("s")), 4)
		}, light.CodeOutOfBounds},
		{"validator without power", func() *light.Block {
			poor := slices.Clone(four)
			poor[3].Power = 0
			return signed(unsigned(3, poor, poor, named("s")), 4)
		}, light.CodeOutOfBounds},
		{"negative round", func() *light.Block {
			b := unsigned(3, four, four, named("s"))
			b.Commit.Round = -1
			return signed(b, 4)
		}, light.CodeOutOfBounds},
	}
}

func TestAttacks(t *testing.T) {
	trusted := genesis(t, set(4))
	if _, err := trusted.Verify(signed(unsigned(3, set(4), set(4), named("s")), 4), policy, now(3)); err != nil {
		t.Fatal(err)
	}
	for _, test := range attacks() {
		_, err := trusted.Verify(test.make(), policy, now(3))
		if got := light.CodeOf(err); got != test.want {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// TestManyValidators is at the limit, and one beyond it.
func TestManyValidators(t *testing.T) {
	most := set(light.MaxValidators)
	b := signed(unsigned(1, most, most, named("s")), light.MaxValidators)
	if _, err := genesis(t, most).Verify(b, policy, now(1)); err != nil {
		t.Fatal(err)
	}
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := light.DecodeBlock(raw); err != nil {
		t.Fatal(err)
	}
	t.Logf("a block of %d validators takes %d bytes", light.MaxValidators, len(raw))

	more := append(most, light.Validator{Key: ledger.ValidatorKey(named("one more")), Power: 10})
	_, err = light.TrustGenesis(testChain, begun, more)
	wantCode(t, err, light.CodeOutOfBounds)
	for _, chainID := range []string{"", strings.Repeat("c", ledger.MaxChainIDBytes+1)} {
		_, err = light.TrustGenesis(chainID, begun, most)
		wantCode(t, err, light.CodeOutOfBounds)
	}
	_, err = unsigned(1, more, more, named("s")).Encode()
	wantCode(t, err, light.CodeOutOfBounds)
}
