package main

import "flag"

var update = flag.Bool("update", false, "rewrite the scripts with what came out")
