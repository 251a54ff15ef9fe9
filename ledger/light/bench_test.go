package light_test

import (
	"strconv"
	"testing"

	"collimate/ledger/light"
)

// BenchmarkVerifyBundle is what a client does with an answer: decode it, verify one block and two proofs.
func BenchmarkVerifyBundle(b *testing.B) {
	for _, n := range []int{4, 64, 256} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			validators := set(n)
			raw := encoded(b, bundle(40, validators, n))
			trusted := genesis(b, validators)
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				got, err := light.DecodeBundle(raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := got.Verify(trusted, policy, now(40)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
