package light

// VoteBytes returns what a validator signs to vote for a block.
func VoteBytes(b *Block, time int64) []byte { return b.voteBytes(b.Header.Hash(), time) }
