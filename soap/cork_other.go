//go:build !linux

package soap

// cork does nothing where there is no TCP_CORK: files go out in more segments than they need.
func (c *limitedTCP) cork(bool) {}
