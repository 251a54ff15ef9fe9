package xmlsec

import (
	"strings"
	"testing"
)

// benchMessage is a request of about 6 KB.
func benchMessage(b *testing.B) []byte {
	one := `<r:Id>2.25.1</r:Id>`
	return []byte(strings.Replace(string(sampleMessage(b)), one, strings.Repeat(one, 200), 1))
}

func BenchmarkParse(b *testing.B) {
	message := benchMessage(b)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(message, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkC14N(b *testing.B) {
	message := benchMessage(b)
	d, err := Parse(message, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		out = AppendC14N(out[:0], d.Root(), C14NOptions{})
	}
}
