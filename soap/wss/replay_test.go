package wss

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func key(n int) (k [32]byte) {
	k[0], k[1] = byte(n), byte(n>>8)
	return k
}

func TestMemoryReplay(t *testing.T) {
	now := testNow
	m := NewMemoryReplay(3, func() time.Time { return now })
	remember := func(n int, expires time.Duration) (bool, error) { return m.Remember(key(n), testNow.Add(expires)) }
	for n, expires := range []time.Duration{3 * time.Minute, time.Minute, 2 * time.Minute} {
		if fresh, err := remember(n, expires); !fresh || err != nil {
			t.Fatalf("key %d: got %v, %v; want fresh", n, fresh, err)
		}
	}
	if fresh, err := remember(1, time.Minute); fresh || err != nil {
		t.Errorf("key that is known: got %v, %v; want not fresh", fresh, err)
	}
	if fresh, err := remember(9, time.Minute); fresh || !errors.Is(err, ErrReplayFull) {
		t.Errorf("fourth of three: got %v, %v; want ErrReplayFull", fresh, err)
	}
	now = testNow.Add(time.Minute) // key 1 is to be known until now, and now still is
	if fresh, err := remember(1, time.Minute); fresh || err != nil {
		t.Errorf("key at its last moment: got %v, %v; want not fresh", fresh, err)
	}
	now = now.Add(1)
	if fresh, err := remember(9, 5*time.Minute); !fresh || err != nil {
		t.Errorf("after one expired: got %v, %v; want fresh", fresh, err)
	}
	for _, n := range []int{0, 2, 9} {
		if fresh, _ := remember(n, 5*time.Minute); fresh {
			t.Errorf("key %d was forgotten too early", n)
		}
	}
	if len(m.known) != 3 || len(m.expiry) != 3 {
		t.Errorf("%d keys and %d expiries, want 3 each", len(m.known), len(m.expiry))
	}
}

func TestMemoryReplayConcurrently(t *testing.T) {
	m := NewMemoryReplay(0, testClock)
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ok, err := m.Remember(key(i%8), testNow.Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			if ok {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	if got := fresh.Load(); got != 8 {
		t.Errorf("8 keys were fresh %d times", got)
	}
}
