// The viewer of the REST API: a page of its own (/taskops/docs), so that no other page loads it.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const place = document.getElementById("docs");
if (place) SwaggerUI({ domNode: place, url: place.dataset.openapi, deepLinking: true, validatorUrl: null });
