import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;

/**
 * What both generations of WSS4J have in common as peers: one JVM reads jobs from standard input, a line of
 * tab-separated name=value pairs each, and answers each with a line "ok DETAIL" or "fail REASON".
 */
abstract class Peer {
    static final String PASSWORD = "changeit";
    static final String SOAP = "http://www.w3.org/2003/05/soap-envelope";
    static final String WSA = "http://www.w3.org/2005/08/addressing";
    static final String SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    static final String SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1";
    static final String[] ADDRESSING = {"To", "Action", "MessageID", "ReplyTo"};

    /** A signed envelope, and the parts that were moved out of it by Content-ID. */
    static class Message {
        Document document;
        final Map<String, byte[]> parts = new LinkedHashMap<>();
    }

    final Path keys;
    private final Map<String, KeyStore> stores = new HashMap<>();

    Peer(String keys) {
        this.keys = Paths.get(keys);
    }

    /** Signs all that a request must have signed, with the key reference that form names. */
    abstract void sign(Message m, String key, String algorithm, String form, boolean attachments) throws Exception;

    /** Verifies and returns the local names of the signed elements. */
    abstract String verify(Document d, String key) throws Exception;

    final void run() throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err); // what libraries print is not an answer
        BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = jobs.readLine()) != null; ) {
            Map<String, String> job = new HashMap<>();
            for (String pair : line.split("\t")) {
                int at = pair.indexOf('=');
                job.put(pair.substring(0, at), pair.substring(at + 1));
            }
            String answer;
            try {
                answer = "ok " + answer(job);
            } catch (Exception e) {
                answer = "fail " + e.getClass().getSimpleName() + ": " + e.getMessage() + (e.getCause() == null ? "" : ": " + e.getCause());
            }
            answers.println(answer.replace('\n', ' ').replace('\r', ' '));
            answers.flush();
        }
    }

    private String answer(Map<String, String> job) throws Exception {
        Message m = new Message();
        m.document = parse(Files.readAllBytes(Paths.get(job.get("in"))));
        if (job.get("op").equals("verify")) {
            return verify(m.document, job.get("key"));
        }
        boolean mtom = "mtom".equals(job.get("packaging"));
        sign(m, job.get("key"), job.get("algorithm"), job.get("form"), mtom);
        ByteArrayOutputStream envelope = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(m.document), new StreamResult(envelope));
        String type = "application/soap+xml; charset=UTF-8";
        byte[] body = envelope.toByteArray();
        if (mtom) {
            String boundary = "uuid:" + UUID.randomUUID();
            type = "multipart/related; type=\"application/xop+xml\"; boundary=\"" + boundary
                + "\"; start=\"<root.message@cxf.apache.org>\"; start-info=\"application/soap+xml\"";
            body = pack(m, body, boundary);
        }
        if (job.get("op").equals("post")) {
            return post(job.get("url"), job.get("key"), type, body);
        }
        Files.write(Paths.get(job.get("out")), body);
        return type;
    }

    /** Writes a package as CXF does, whose parts WSS4J makes. */
    private static byte[] pack(Message m, byte[] envelope, String boundary) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        part(out, boundary, "application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"", "root.message@cxf.apache.org", envelope);
        for (Map.Entry<String, byte[]> p : m.parts.entrySet()) {
            part(out, boundary, "application/octet-stream", p.getKey(), p.getValue());
        }
        out.write(("\r\n--" + boundary + "--").getBytes(StandardCharsets.US_ASCII));
        return out.toByteArray();
    }

    private static void part(OutputStream out, String boundary, String type, String id, byte[] content) throws Exception {
        out.write(("\r\n--" + boundary + "\r\nContent-Type: " + type + "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" + id + ">\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII));
        out.write(content);
    }

    /** Sends a request over mutual TLS, as a live client. */
    private String post(String url, String key, String type, byte[] body) throws Exception {
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(store(key), PASSWORD.toCharArray());
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted());
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(own.getKeyManagers(), trust.getTrustManagers(), null);
        HttpsURLConnection c = (HttpsURLConnection) new URL(url).openConnection();
        c.setSSLSocketFactory(tls.getSocketFactory());
        c.setRequestMethod("POST");
        c.setRequestProperty("Content-Type", type);
        c.setDoOutput(true);
        try (OutputStream out = c.getOutputStream()) {
            out.write(body);
        }
        try (InputStream in = c.getResponseCode() < 400 ? c.getInputStream() : c.getErrorStream()) {
            String answer = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            if (c.getResponseCode() != 200 || !answer.contains("ResponseStatusType:Success")) {
                throw new Exception("HTTP " + c.getResponseCode() + ": " + answer.replaceAll("<[^>]*>", " "));
            }
            return "HTTP 200";
        }
    }

    static Document parse(byte[] b) throws Exception {
        DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
        f.setNamespaceAware(true);
        return f.newDocumentBuilder().parse(new ByteArrayInputStream(b));
    }

    static String signatureMethod(String algorithm) {
        if (algorithm.contains(":")) {
            return algorithm;
        }
        return algorithm.equals("rsa-sha1") ? "http://www.w3.org/2000/09/xmldsig#rsa-sha1" : "http://www.w3.org/2001/04/xmldsig-more#" + algorithm;
    }

    /** A store in memory with the key, its certificate and the authority. */
    final KeyStore store(String name) throws Exception {
        KeyStore s = stores.get(name);
        if (s == null) {
            s = KeyStore.getInstance("PKCS12");
            s.load(null, null);
            String pem = new String(Files.readAllBytes(keys.resolve(name + ".key")), StandardCharsets.US_ASCII);
            byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]*-----", ""));
            PrivateKey key = KeyFactory.getInstance(name.startsWith("ec") ? "EC" : name.startsWith("ed") ? "Ed25519" : "RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
            s.setKeyEntry(name, key, PASSWORD.toCharArray(), new Certificate[] {certificate(name)});
            s.setCertificateEntry("ca", certificate("ca"));
            stores.put(name, s);
        }
        return s;
    }

    final KeyStore trusted() throws Exception {
        KeyStore s = KeyStore.getInstance("PKCS12");
        s.load(null, null);
        s.setCertificateEntry("ca", certificate("ca"));
        return s;
    }

    private Certificate certificate(String name) throws Exception {
        try (InputStream in = Files.newInputStream(keys.resolve(name + ".pem"))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }
}
