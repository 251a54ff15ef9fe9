import java.io.InputStream;
import java.util.List;
import javax.security.auth.callback.Callback;
import org.apache.wss4j.common.WSEncryptionPart;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.Attachment;
import org.apache.wss4j.common.ext.AttachmentRequestCallback;
import org.apache.wss4j.common.ext.AttachmentResultCallback;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.WSDataRef;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.apache.wss4j.dom.message.WSSecTimestamp;
import org.w3c.dom.Document;

/** The current WSS4J, as in CXF 4 and IPF; java Wss4j KEYS. */
final class Wss4j extends Peer {
    Wss4j(String keys) {
        super(keys);
        WSSConfig.init();
    }

    public static void main(String[] args) throws Exception {
        new Wss4j(args[0]).run();
    }

    private Crypto crypto(String key) throws Exception {
        Merlin m = new Merlin();
        m.setKeyStore(store(key));
        m.setTrustStore(trusted());
        return m;
    }

    @Override
    void sign(Message m, String key, String algorithm, String form, boolean attachments) throws Exception {
        WSSecHeader header = new WSSecHeader(m.document);
        header.insertSecurityHeader();
        WSSecTimestamp timestamp = new WSSecTimestamp(header);
        timestamp.setTimeToLive(300);
        timestamp.build();
        WSSecSignature s = new WSSecSignature(header);
        s.setUserInfo(key, PASSWORD);
        s.setKeyIdentifierType(reference(form));
        s.setSignatureAlgorithm(signatureMethod(algorithm));
        s.setDigestAlgo(algorithm.endsWith("sha1") ? SHA1 : SHA256);
        for (String name : ADDRESSING) {
            s.getParts().add(new WSEncryptionPart(name, WSA, "Element"));
        }
        s.getParts().add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, "Element"));
        s.getParts().add(new WSEncryptionPart("Body", SOAP, "Element"));
        if (form.equals("str-transform")) {
            s.getParts().add(new WSEncryptionPart("STRTransform", "", "Element"));
        }
        if (attachments) {
            // What CXF does with MTOM: the bytes of token and signature leave the header as parts.
            s.setStoreBytesInAttachment(true);
            s.setAttachmentCallbackHandler(callbacks -> {
                for (Callback c : callbacks) {
                    if (c instanceof AttachmentResultCallback) {
                        Attachment a = ((AttachmentResultCallback) c).getAttachment();
                        try (InputStream in = a.getSourceStream()) {
                            m.parts.put(a.getId(), in.readAllBytes());
                        }
                    } else if (c instanceof AttachmentRequestCallback) {
                        ((AttachmentRequestCallback) c).setAttachments(List.of());
                    }
                }
            });
        }
        m.document = s.build(crypto(key));
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
        RequestData request = new RequestData();
        request.setSigVerCrypto(crypto(key));
        request.setWssConfig(WSSConfig.getNewInstance());
        StringBuilder signed = new StringBuilder();
        for (WSSecurityEngineResult r : new WSSecurityEngine().processSecurityHeader(d, request).getResults()) {
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
