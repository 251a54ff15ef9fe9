import java.util.ArrayList;
import java.util.List;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.components.crypto.Crypto;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.w3c.dom.Document;

/** WSS4J 1.6, the generation in Axis2, CXF 2 and so in toolkit2; java Wss4j16 KEYS. */
final class Wss4j16 extends Peer {
    Wss4j16(String keys) {
        super(keys);
        WSSConfig.init();
    }

    public static void main(String[] args) throws Exception {
        new Wss4j16(args[0]).run();
    }

    private Crypto crypto(String key) throws Exception {
        Merlin m = new Merlin();
        m.setKeyStore(store(key));
        m.setTrustStore(trusted());
        return m;
    }

    @Override
    void sign(Message m, String key, String algorithm, String form, boolean attachments) throws Exception {
        WSSecHeader header = new WSSecHeader();
        header.insertSecurityHeader(m.document);
        WSSecTimestamp timestamp = new WSSecTimestamp();
        timestamp.setTimeToLive(300);
        timestamp.build(m.document, header);
        WSSecSignature s = new WSSecSignature();
        s.setUserInfo(key, PASSWORD);
        s.setKeyIdentifierType(reference(form));
        s.setSignatureAlgorithm(signatureMethod(algorithm));
        s.setDigestAlgo(algorithm.endsWith("sha1") ? SHA1 : SHA256);
        List<WSEncryptionPart> parts = new ArrayList<>();
        for (String name : ADDRESSING) {
            parts.add(new WSEncryptionPart(name, WSA, "Element"));
        }
        parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, "Element"));
        parts.add(new WSEncryptionPart("Body", SOAP, "Element"));
        if (form.equals("str-transform")) {
            parts.add(new WSEncryptionPart("STRTransform", "", "Element"));
        }
        s.setParts(parts);
        m.document = s.build(m.document, crypto(key), header);
    }

    private static int reference(String form) {
        switch (form) {
            case "issuer-serial": return WSConstants.ISSUER_SERIAL;
            case "ski": return WSConstants.SKI_KEY_IDENTIFIER;
            case "thumbprint": return WSConstants.THUMBPRINT_IDENTIFIER;
            case "x509-identifier": return WSConstants.X509_KEY_IDENTIFIER;
            case "key-value": return WSConstants.KEY_VALUE;
            default: return WSConstants.BST_DIRECT_REFERENCE;
        }
    }

    @Override
    String verify(Document d, String key) throws Exception {
        WSSecurityEngine engine = new WSSecurityEngine();
        engine.setWssConfig(WSSConfig.getNewInstance());
        StringBuilder signed = new StringBuilder();
        for (WSSecurityEngineResult r : engine.processSecurityHeader(d, null, null, crypto(key))) {
            Object refs = r.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
            if (refs != null) {
                for (Object ref : (List<?>) refs) {
                    signed.append(((WSDataRef) ref).getName().getLocalPart()).append(' ');
                }
            }
        }
        if (signed.length() == 0) {
            throw new Exception("no signature");
        }
        return signed.toString().trim();
    }
}
