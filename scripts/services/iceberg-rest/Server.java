package org.apache.iceberg.rest; // the catalog's parts are visible only inside their package

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.iceberg.CatalogUtil;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.ServerConnector;

/** The Iceberg project's REST catalog on one loopback port: {@code Server PORT FILE.properties}. */
public class Server {
  public static void main(String[] arguments) throws Exception {
    var file = new Properties();
    try (var reader = new java.io.FileReader(arguments[1])) {
      file.load(reader);
    }
    Map<String, String> properties =
        file.stringPropertyNames().stream().collect(Collectors.toMap(name -> name, file::getProperty));
    var backend = CatalogUtil.buildIcebergCatalog("backend", properties, null);
    var adapter = new RESTServerCatalogAdapter(new RESTCatalogServer.CatalogContext(backend, properties));
    // Clients that do not read /v1/config join the levels of a namespace by 0x1F, this server by a full stop.
    var servlet =
        new RESTCatalogServlet(adapter) {
          @Override
          protected void service(HttpServletRequest request, HttpServletResponse response)
              throws jakarta.servlet.ServletException, java.io.IOException {
            super.service(
                new HttpServletRequestWrapper(request) {
                  @Override
                  public String getRequestURI() {
                    return super.getRequestURI().replace("%1F", ".").replace("%1f", ".");
                  }
                },
                response);
          }
        };
    var context = new ServletContextHandler();
    context.addServlet(new ServletHolder(servlet), "/*");
    var http = new HttpConfiguration();
    http.setUriCompliance(
        UriCompliance.DEFAULT.with("unit-separator", UriCompliance.Violation.SUSPICIOUS_PATH_CHARACTERS));
    var jetty = new org.eclipse.jetty.server.Server();
    var connector = new ServerConnector(jetty, new HttpConnectionFactory(http));
    connector.setHost("127.0.0.1");
    connector.setPort(Integer.parseInt(arguments[0]));
    jetty.addConnector(connector);
    jetty.setHandler(context);
    jetty.start();
    jetty.join();
  }
}
