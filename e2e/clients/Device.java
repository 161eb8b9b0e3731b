import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.*;
import org.fusesource.mqtt.client.*;

// A Java client with TLS 1.2 and a PKCS#12 key store, as Kura has it: empty user
// name and password, a will of QoS 0 with an empty payload.
public class Device {
    public static void main(String[] args) throws Exception {
        String host = System.getenv("HOST"), topic = System.getenv("TOPIC");
        char[] password = System.getenv("PASSWORD").toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(System.getenv("P12"))) {
            store.load(in, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        try (InputStream in = new FileInputStream(System.getenv("CA"))) {
            roots.setCertificateEntry("verisign", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLSv1.2");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);

        MQTT mqtt = new MQTT();
        mqtt.setHost(new URI("tlsv1.2://" + host + ":" + System.getenv("PORT")));
        mqtt.setSslContext(context);
        mqtt.setClientId(System.getenv("ID"));
        mqtt.setVersion("3.1.1");
        mqtt.setKeepAlive((short) 30);
        mqtt.setWillTopic(System.getenv("WILL"));
        mqtt.setWillMessage("");
        mqtt.setWillQos(QoS.AT_MOST_ONCE);
        mqtt.setConnectAttemptsMax(1);
        mqtt.setReconnectAttemptsMax(0);
        BlockingConnection connection = mqtt.blockingConnection();
        connection.connect();
        System.out.println("connected");
        byte[] granted = connection.subscribe(new Topic[] {new Topic(topic + "/#", QoS.AT_LEAST_ONCE)});
        System.out.println("subscribed " + granted[0]);
        connection.publish(topic + "/up", "from Java".getBytes("UTF-8"), QoS.AT_LEAST_ONCE, false);
        Message message = connection.receive(20, TimeUnit.SECONDS);
        if (message == null) {
            throw new IllegalStateException("nothing came in 20 s");
        }
        System.out.println("received " + message.getTopic() + " " + new String(message.getPayload(), "UTF-8"));
        message.ack();
        if ("lost".equals(System.getenv("END"))) {
            System.exit(0); // without a DISCONNECT
        }
        connection.disconnect();
        System.exit(0);
    }
}
