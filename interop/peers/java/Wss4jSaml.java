import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.wss4j.common.WSEncryptionPart;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.saml.SAMLCallback;
import org.apache.wss4j.common.saml.SamlAssertionWrapper;
import org.apache.wss4j.common.saml.bean.AttributeBean;
import org.apache.wss4j.common.saml.bean.AttributeStatementBean;
import org.apache.wss4j.common.saml.bean.AudienceRestrictionBean;
import org.apache.wss4j.common.saml.bean.AuthenticationStatementBean;
import org.apache.wss4j.common.saml.bean.ConditionsBean;
import org.apache.wss4j.common.saml.bean.KeyInfoBean;
import org.apache.wss4j.common.saml.bean.SubjectBean;
import org.apache.wss4j.common.saml.bean.Version;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSAMLToken;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.apache.wss4j.dom.message.WSSecTimestamp;
import org.apache.wss4j.dom.saml.WSSecSignatureSAML;
import org.joda.time.DateTime;
import org.w3c.dom.Document;

/**
 * The last WSS4J whose SAML is on Maven Central: OpenSAML 4 and later are in a repository of their own; java
 * Wss4jSaml KEYS. Assertions are issued with the key "ec-issuer".
 */
final class Wss4jSaml extends Peer {
    private static final String SAML = "urn:oasis:names:tc:SAML:2.0:";
    private static final String XSPA = "urn:oasis:names:tc:xspa:1.0:subject:";

    Wss4jSaml(String keys) {
        super(keys);
        WSSConfig.init();
    }

    public static void main(String[] args) throws Exception {
        new Wss4jSaml(args[0]).run();
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
        SamlAssertionWrapper assertion = assertion(form, key);
        switch (form) {
            case "saml-bearer":
                new WSSecSAMLToken(header).build(assertion);
                return;
            case "saml-sender-vouches": {
                WSSecSAMLToken token = new WSSecSAMLToken(header);
                token.build(assertion);
                WSSecSignature s = new WSSecSignature(header);
                s.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
                prepare(s, key, algorithm, true);
                s.getParts().add(new WSEncryptionPart("Assertion", SAML + "assertion", "Element"));
                m.document = s.build(crypto(key));
                return;
            }
            default: {
                WSSecSignatureSAML s = new WSSecSignatureSAML(header);
                s.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
                prepare(s, key, algorithm, !form.equals("saml-holder-timestamp"));
                if (form.equals("saml-holder-whole")) {
                    s.getParts().add(new WSEncryptionPart("STRTransform", "", "Element"));
                }
                m.document = s.build(crypto(key), assertion, null, null, null);
            }
        }
    }

    /** Signs the Timestamp and, with whole, all the rest that is ours. */
    private static void prepare(WSSecSignature s, String key, String algorithm, boolean whole) {
        s.setUserInfo(key, PASSWORD);
        s.setSignatureAlgorithm(signatureMethod(algorithm));
        s.setDigestAlgo(SHA256);
        s.getParts().add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, "Element"));
        if (whole) {
            for (String name : ADDRESSING) {
                s.getParts().add(new WSEncryptionPart(name, WSA, "Element"));
            }
            s.getParts().add(new WSEncryptionPart("Body", SOAP, "Element"));
        }
    }

    private SamlAssertionWrapper assertion(String form, String key) throws Exception {
        SubjectBean subject = new SubjectBean("7601002469191", null,
            SAML + "cm:" + (form.startsWith("saml-holder") ? "holder-of-key" : form.substring("saml-".length())));
        subject.setSubjectNameIDFormat(SAML + "nameid-format:persistent");
        if (form.startsWith("saml-holder")) {
            KeyInfoBean holder = new KeyInfoBean();
            holder.setCertificate((X509Certificate) store(key).getCertificate(key));
            subject.setKeyInfo(holder);
        }
        AudienceRestrictionBean audience = new AudienceRestrictionBean();
        audience.setAudienceURIs(Collections.singletonList("urn:example:affinity-domain"));
        ConditionsBean conditions = new ConditionsBean();
        conditions.setTokenPeriodMinutes(5);
        conditions.setAudienceRestrictions(Collections.singletonList(audience));
        AuthenticationStatementBean login = new AuthenticationStatementBean();
        login.setSubject(subject);
        login.setAuthenticationInstant(new DateTime());
        login.setAuthenticationMethod(SAML + "ac:classes:SmartcardPKI");
        AttributeStatementBean attributes = new AttributeStatementBean();
        attributes.setSubject(subject);
        List<AttributeBean> list = new ArrayList<>();
        for (String[] a : new String[][] {{"subject-id", "Ann Andrews"}, {"organization", "North Hospital"}, {"organization-id", "urn:oid:2.999.89.201"}}) {
            AttributeBean bean = new AttributeBean();
            bean.setQualifiedName(XSPA + a[0]);
            bean.setAttributeValues(Collections.<Object>singletonList(a[1]));
            list.add(bean);
        }
        attributes.setSamlAttributes(list);

        SAMLCallback c = new SAMLCallback();
        c.setSamlVersion(Version.SAML_20);
        c.setIssuer("urn:example:idp");
        c.setSubject(subject);
        c.setConditions(conditions);
        c.setAuthenticationStatementData(Collections.singletonList(login));
        c.setAttributeStatementData(Collections.singletonList(attributes));
        SamlAssertionWrapper assertion = new SamlAssertionWrapper(c);
        assertion.signAssertion("ec-issuer", PASSWORD, crypto("ec-issuer"), false,
            "http://www.w3.org/2001/10/xml-exc-c14n#", signatureMethod("ecdsa-sha256"), SHA256);
        return assertion;
    }

    @Override
    String verify(Document d, String key) {
        throw new UnsupportedOperationException();
    }
}
