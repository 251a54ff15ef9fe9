package js_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// page verifies the bundles of light.json in a browser, times them as bench.mjs does, and reports.
const page = `<!doctype html><title>verify</title><script type="module">
const report = (text) => fetch("/report", { method: "POST", body: text });
try {
  const verify = await import("/js/collimate-verify.mjs");
  const { run } = await import("/js/bench.mjs");
  const vectors = await (await fetch("/vectors/light.json")).json();
  let agree = 0;
  for (const v of vectors.filter((o) => o.bundle && o.genesis)) {
    const validators = v.genesis.validators.map((o) => ({ key: verify.fromHex(o.key), power: BigInt(o.power) }));
    let code;
    try {
      const trusted = verify.trustGenesis(v.genesis.chain_id, BigInt(v.genesis.time), validators);
      const policy = { trustingPeriod: BigInt(v.trusting_period), clockDrift: BigInt(v.clock_drift) };
      await verify.verifyBundle(trusted, verify.fromHex(v.bundle), policy, BigInt(v.now));
    } catch (e) {
      if (!(e instanceof verify.VerifyError)) throw e;
      code = e.code;
    }
    if (code !== v.code) throw new Error(v.name + ": got " + code + ", want " + v.code);
    agree++;
  }
  await report("PASS " + agree + " bundles agree\n" + (await run(vectors)).join("\n"));
} catch (e) {
  await report("FAIL " + e.stack);
}
</script>`

// TestBrowser verifies the bundles where a patient's wallet does: in a browser. It prints how long one takes.
func TestBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: the JavaScript verifier is not run in a browser")
	}
	reported := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page) // a browser that goes away is seen by the time-out
	})
	mux.Handle("GET /js/", http.StripPrefix("/js/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		http.ServeFile(w, r, r.URL.Path)
	})))
	mux.Handle("GET /vectors/", http.StripPrefix("/vectors/", http.FileServer(http.Dir("../testdata/vectors"))))
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // what is cut is not PASS
		select {
		case reported <- string(text):
		default:
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	browser := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", server.URL)
	browser.Cancel = func() error { return browser.Process.Kill() }
	browser.WaitDelay = 10 * time.Second
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	var got string
	select {
	case got = <-reported:
	case <-ctx.Done():
	}
	cancel()
	_ = browser.Wait() // it was killed
	if !strings.HasPrefix(got, "PASS ") {
		t.Fatalf("in the browser: %q", got)
	}
	t.Log(got)
}
