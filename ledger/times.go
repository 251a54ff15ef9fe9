package ledger

import "time"

// Seconds is a time on the ledger in Unix seconds; 0 is never. In JSON it is an RFC 3339 time, or empty for never.
type Seconds int64

// Time returns the time in UTC, the zero Time for never.
func (s Seconds) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// MarshalText encodes for people.
func (s Seconds) MarshalText() ([]byte, error) {
	if s == 0 {
		return nil, nil
	}
	return []byte(s.Time().Format(time.RFC3339)), nil
}

// UnmarshalText decodes what MarshalText returns.
func (s *Seconds) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = 0
		return nil
	}
	t, err := time.Parse(time.RFC3339, string(b))
	*s = Seconds(t.Unix())
	return err
}

// Nanoseconds is a time on the ledger in Unix nanoseconds; 0 is never. In JSON it is an RFC 3339 time, or empty for
// never.
type Nanoseconds int64

// Time returns the time in UTC, the zero Time for never.
func (n Nanoseconds) Time() time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n)).UTC()
}

// MarshalText encodes for people.
func (n Nanoseconds) MarshalText() ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	return []byte(n.Time().Format(time.RFC3339Nano)), nil
}

// UnmarshalText decodes what MarshalText returns.
func (n *Nanoseconds) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*n = 0
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	*n = Nanoseconds(t.UnixNano())
	return err
}
